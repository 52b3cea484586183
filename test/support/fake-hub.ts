import { createHash } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { serve } from "./file-server.ts";

export interface FakeRepo {
  readonly commit: string;
  /** Branches and tags beside main. */
  readonly tags?: readonly string[];
  readonly gated?: boolean;
  readonly files: Readonly<Record<string, FakeFile>>;
}

export interface FakeFile {
  readonly bytes: Uint8Array;
  /** Kept in LFS: by sha256, from the CDN. Others come from the hub itself, by git's blob id. */
  readonly large?: boolean;
}

/** Answers in the place of the server; true if it has. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface FakeHub {
  readonly url: string;
  readonly cdnUrl: string;
  /** "HEAD /owner/name/resolve/main/file" */
  readonly hubRequests: string[];
  /** "bytes=100-" or "" */
  readonly cdnRanges: string[];
  /** Of requests to the CDN: what must never come. */
  readonly cdnAuthorization: string[];
  onHub: Intercept;
  onCdn: Intercept;
  close(): Promise<void>;
}

export const FAKE_TOKEN = "hf_right";

export function gitBlobId(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A hub and its CDN, another origin, which answer as huggingface.co does. */
export async function fakeHub(repos: Readonly<Record<string, FakeRepo>>): Promise<FakeHub> {
  const blobs = new Map<string, Uint8Array>();
  for (const { files } of Object.values(repos)) {
    for (const { bytes } of Object.values(files)) blobs.set(sha256(bytes), bytes);
  }
  const hub = await serve((request, response) => {
    fake.hubRequests.push(`${request.method} ${request.url}`);
    if (!fake.onHub(request, response)) answer(request, response);
  });
  const cdn = await serve((request, response) => {
    fake.cdnRanges.push(request.headers.range ?? "");
    fake.cdnAuthorization.push(...[request.headers.authorization ?? []].flat());
    if (!fake.onCdn(request, response)) cdnListener(blobs)(request, response);
  });
  const fake: FakeHub = {
    url: hub.url,
    cdnUrl: cdn.url,
    hubRequests: [],
    cdnRanges: [],
    cdnAuthorization: [],
    onHub: () => false,
    onCdn: () => false,
    close: async () => {
      await hub.close();
      await cdn.close();
    },
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const refuse = (status: number, code: string, commit?: string): void => {
      const known = commit === undefined ? {} : { "x-repo-commit": commit };
      response.writeHead(status, { "x-error-code": code, ...known }).end();
    };
    const cached = /^\/api\/resolve-cache\/([\w.-]+\/[\w.-]+)\/(.+)$/.exec(request.url ?? "");
    const asked = /^\/([\w.-]+\/[\w.-]+)\/resolve\/([^/]+)\/(.+)$/.exec(request.url ?? "");
    const [, name = "", ...rest] = cached ?? asked ?? [];
    const repo = repos[name];
    const token = request.headers.authorization;
    if (repo === undefined) {
      refuse(token === undefined ? 401 : 404, "RepoNotFound");
      return;
    }
    const { commit, tags = [], gated, files } = repo;
    if (gated && token !== `Bearer ${FAKE_TOKEN}`) {
      refuse(401, "GatedRepo");
      return;
    }
    const revision = cached ? commit : decodeURIComponent(rest[0]!);
    if (![commit, "main", ...tags].includes(revision)) {
      refuse(404, "RevisionNotFound");
      return;
    }
    const path = rest.at(-1)!;
    const file = files[path];
    if (file === undefined) {
      refuse(404, "EntryNotFound", commit);
      return;
    }
    const { bytes, large } = file;
    response.setHeader("x-repo-commit", commit);
    if (large) {
      const location = `${fake.cdnUrl}/${sha256(bytes)}?Signature=good`;
      response.setHeader("x-linked-etag", `"${sha256(bytes)}"`);
      response.setHeader("x-linked-size", bytes.length);
      response.writeHead(302, { location }).end();
      return;
    }
    response.setHeader("etag", `"${gitBlobId(bytes)}"`);
    if (asked) {
      response.writeHead(307, { location: `/api/resolve-cache/${name}/${path}` }).end();
      return;
    }
    response.writeHead(200, { "content-length": bytes.length });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }
  return fake;
}

function cdnListener(blobs: ReadonlyMap<string, Uint8Array>): RequestListener {
  return (request, response) => {
    const url = new URL(request.url ?? "/", "http://cdn");
    const bytes = blobs.get(url.pathname.slice(1));
    if (bytes === undefined || url.searchParams.get("Signature") !== "good") {
      response.writeHead(403).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (from >= bytes.length) {
      response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
      return;
    }
    const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    const status = request.headers.range === undefined ? 200 : 206;
    response
      .writeHead(status, {
        "content-length": bytes.length - from,
        etag: '"md5-of-the-store"',
        ...(status === 206 && range),
      })
      .end(bytes.subarray(from));
  };
}
