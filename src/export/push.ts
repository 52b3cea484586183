import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { z } from "zod";
import { ThawError, UsageError } from "../errors.ts";
import { hubSettings } from "../models/weights/hub/environment.ts";
import {
  NoAnswerError,
  parseUrl,
  type RequestOptions,
  readText,
  requestFollowing,
  type SomeLimits,
} from "../platform/http.ts";
import { fileDigest } from "./file-digest.ts";

export interface PushOptions {
  /** `HF_ENDPOINT`, `HF_TOKEN` and what else says where the hub is; default the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly private?: boolean | undefined;
  readonly onFile?: ((name: string, bytes: number) => void) | undefined;
  readonly limits?: SomeLimits | undefined;
}

/** The hub checks a large file before it answers. */
const usualLimits: SomeLimits = { stallMs: 300_000 };
/** The hub's answers list an export's few files. */
const MAX_ANSWER_BYTES = 4 << 20;
/** The hub itself takes no larger file into git. */
const MAX_REGULAR_BYTES = 10 << 20;
/** Of the hub's own words in a message. */
const MAX_WORDS = 300;

interface Local {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

const preuploadSchema = z.object({
  files: z.array(z.object({ path: z.string(), uploadMode: z.enum(["regular", "lfs"]) })),
});
const actionSchema = z.object({
  href: z.string(),
  header: z.record(z.string(), z.string()).optional(),
});
const batchSchema = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      actions: z
        .object({ upload: actionSchema.optional(), verify: actionSchema.optional() })
        .optional(),
      error: z.object({ message: z.string() }).optional(),
    }),
  ),
});
const commitSchema = z.object({ commitUrl: z.string(), commitOid: z.string() });

/**
 * Uploads an export's folder to a repository of the hub, which is made where it is not there, as one commit. Large files
 * go to where the hub says (git LFS). Returns the commit's address.
 * @throws UsageError without a token or for a folder that is no export; ThawError with what the hub answered.
 */
export async function pushFolder(
  folder: string,
  repo: string,
  options: PushOptions = {},
): Promise<{ readonly url: string; readonly commit: string }> {
  if (!/^[\w.-]+\/[\w.-]+$/.test(repo)) {
    throw new UsageError(`${repo} is no repository of the hub`, { hint: "as owner/name" });
  }
  const files = filesOf(folder);
  const { endpoint, token, offline } = hubSettings(options.env ?? process.env);
  if (offline) throw new UsageError("HF_HUB_OFFLINE is set: nothing is sent to the hub");
  if (token === undefined) {
    throw new UsageError("the hub wants a token to write with", {
      hint: "put one with write access into HF_TOKEN, or log in with `huggingface-cli login`",
    });
  }
  const hub = new HubWriter({
    endpoint,
    token,
    repo,
    limits: { ...usualLimits, ...options.limits },
  });
  await hub.create(options.private ?? false);
  const modes = await hub.modesOf(files);
  const large = files.filter(({ name }) => modes.get(name) === "lfs");
  const digests = new Map<string, string>();
  for (const file of large) digests.set(file.name, await fileDigest(file.path));
  for (const file of large) {
    await hub.upload(file, digests.get(file.name)!);
    options.onFile?.(file.name, file.bytes);
  }
  const entries = files.map((file) => {
    const oid = digests.get(file.name);
    if (oid !== undefined) {
      const value = { path: file.name, algo: "sha256", oid, size: file.bytes };
      return { key: "lfsFile", value };
    }
    if (file.bytes > MAX_REGULAR_BYTES) {
      throw new ThawError(
        `${file.name}: ${endpoint} wants its ${file.bytes} bytes in git itself, not in LFS`,
        { hint: "is HF_ENDPOINT a hub? The hub takes files above 10 MiB by git LFS only" },
      );
    }
    const content = readFileSync(file.path).toString("base64");
    return { key: "file", value: { path: file.name, content, encoding: "base64" } };
  });
  return hub.commit(entries);
}

function filesOf(folder: string): Local[] {
  const names = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(folder)
    : [];
  if (!names.includes("model.onnx") || !names.includes("README.md")) {
    throw new UsageError(`${folder} is no export: it has no model.onnx with a README.md`, {
      hint: "`thaw export <run>` makes one",
    });
  }
  return names
    .filter((name) => !name.startsWith("."))
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      // A link may lead nowhere.
      const found = statSync(path, { throwIfNoEntry: false });
      return found?.isFile() ? [{ name, path, bytes: found.size }] : [];
    });
}

/** What of the hub's protocol writes. */
class HubWriter {
  readonly #endpoint: string;
  readonly #token: string;
  readonly #repo: string;
  readonly #limits: SomeLimits;

  constructor(given: { endpoint: string; token: string; repo: string; limits: SomeLimits }) {
    this.#endpoint = given.endpoint;
    this.#token = given.token;
    this.#repo = given.repo;
    this.#limits = given.limits;
  }

  async create(isPrivate: boolean): Promise<void> {
    const [organization, name] = this.#repo.split("/");
    const body = { type: "model", name, organization, private: isPrivate };
    // 409: it is there already.
    let isThere = false;
    const onAllowed = () => {
      isThere = true;
    };
    await this.#json("/api/repos/create", body, { allowed: [409], onAllowed });
    if (!isPrivate || !isThere) return;
    throw new UsageError(
      `--private: ${this.#repo} already exists, and its visibility is not changed`,
      {
        hint: "leave --private out, or make the repository private on the hub first",
      },
    );
  }

  /** Which files go into git itself, and which into LFS: the hub decides. */
  async modesOf(files: readonly Local[]): Promise<ReadonlyMap<string, "regular" | "lfs">> {
    const described = files.map(({ name, path, bytes }) => ({
      path: name,
      size: bytes,
      sample: head(path),
    }));
    const answer = await this.#json(`/api/models/${this.#repo}/preupload/main`, {
      files: described,
    });
    const { files: modes } = this.#parse(preuploadSchema, answer);
    return new Map(modes.map(({ path, uploadMode }) => [path, uploadMode]));
  }

  async upload({ name, path, bytes }: Local, oid: string): Promise<void> {
    const body = {
      operation: "upload",
      transfers: ["basic"],
      hash_algo: "sha256",
      objects: [{ oid, size: bytes }],
    };
    const answer = await this.#json(`/${this.#repo}.git/info/lfs/objects/batch`, body, {
      type: "application/vnd.git-lfs+json",
    });
    const [object] = this.#parse(batchSchema, answer).objects;
    if (object?.error !== undefined)
      throw new ThawError(
        `${name}: the hub refuses it: ${object.error.message.slice(0, MAX_WORDS)}`,
      );
    const { upload, verify } = object?.actions ?? {};
    // Without an action the hub has it already.
    if (upload === undefined) return;
    const content = () =>
      bytes === 0 ? Readable.from([]) : createReadStream(path, { end: bytes - 1 });
    // The address is signed: the token is the hub's alone, and is not sent to a storage elsewhere.
    await this.#reach(`uploading ${name}`, upload.href, {
      method: "PUT",
      body: content,
      headers: { ...lowerCased(upload.header), "content-length": String(bytes) },
    });
    if (verify === undefined) return;
    await this.#reach(`checking ${name}`, verify.href, {
      method: "POST",
      body: JSON.stringify({ oid, size: bytes }),
      headers: { "content-type": "application/vnd.git-lfs+json", ...lowerCased(verify.header) },
    });
  }

  async commit(entries: readonly object[]): Promise<{ url: string; commit: string }> {
    const header = { key: "header", value: { summary: "Upload with thaw push", description: "" } };
    const lines = [header, ...entries].map((entry) => `${JSON.stringify(entry)}\n`).join("");
    const answer = await this.#json(`/api/models/${this.#repo}/commit/main`, lines, {
      type: "application/x-ndjson",
    });
    const { commitUrl, commitOid } = this.#parse(commitSchema, answer);
    return { url: commitUrl, commit: commitOid };
  }

  async #json(
    path: string,
    body: string | object,
    {
      allowed = [],
      onAllowed,
      type = "application/json",
    }: { allowed?: number[]; onAllowed?: () => void; type?: string } = {},
  ): Promise<unknown> {
    const { status, text } = await this.#reach(
      this.#repo,
      `${this.#endpoint}${path}`,
      {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { authorization: `Bearer ${this.#token}`, "content-type": type, accept: type },
      },
      allowed,
    );
    if (allowed.includes(status)) onAllowed?.();
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** The answer. `what` names the request in errors. */
  async #reach(
    what: string,
    url: string,
    options: RequestOptions,
    allowed: readonly number[] = [],
  ): Promise<{ readonly status: number; readonly text: string }> {
    const start = parseUrl(url);
    let response: IncomingMessage;
    let text: string;
    try {
      ({ response } = await requestFollowing(start, { ...options, limits: this.#limits }));
      text = await readText(response, MAX_ANSWER_BYTES);
    } catch (cause) {
      // Where nobody answers, the reason names the address.
      const reason = (cause instanceof NoAnswerError ? (cause.cause as Error) : (cause as Error))
        .message;
      throw new ThawError(`${what}: ${start.origin} cannot be reached: ${reason}`, {
        hint: "check the network and run it again; nothing is visible on the hub before the commit",
        cause,
      });
    }
    const status = response.statusCode ?? 0;
    if ((status >= 200 && status < 300) || allowed.includes(status)) return { status, text };
    throw refused(what, status, text.slice(0, MAX_WORDS));
  }

  #parse<T>(schema: z.ZodType<T>, answer: unknown): T {
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new ThawError(
      `${this.#endpoint} answers as no hub does: ${parsed.error.issues[0]!.message}`,
    );
  }
}

/** The first bytes, by which the hub tells text from data. */
function head(path: string): string {
  const bytes = Buffer.alloc(512);
  const fd = openSync(path, "r");
  try {
    return bytes.subarray(0, readSync(fd, bytes)).toString("base64");
  } finally {
    closeSync(fd);
  }
}

/** So that a header of ours takes the place of the hub's, however that is written. */
function lowerCased(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

function refused(what: string, status: number, text: string): ThawError {
  const hint =
    status === 401 || status === 403
      ? "has the token of HF_TOKEN write access to this repository?"
      : "try again later; nothing is visible on the hub before the commit";
  return new ThawError(`${what}: the hub answers ${status}${text === "" ? "" : `: ${text}`}`, {
    hint,
  });
}
