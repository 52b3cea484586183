import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serve } from "../../test/support/file-server.ts";
import { ThawError, UsageError } from "../errors.ts";
import type { SomeLimits } from "../platform/http.ts";
import { pushFolder } from "./push.ts";

const model = Buffer.from("a model of so many bytes".repeat(100));
let folder: string;
let hub: Awaited<ReturnType<typeof writableHub>>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-push-"));
  writeFileSync(join(folder, "model.onnx"), model);
  writeFileSync(join(folder, "README.md"), "# a card\n");
  writeFileSync(join(folder, ".hidden"), "not this");
  symlinkSync("nowhere", join(folder, "dangling"));
  hub = await writableHub();
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true });
});

const env = (more: Record<string, string> = {}) => ({
  HF_ENDPOINT: hub.url,
  HF_TOKEN: "hf_right",
  HF_HOME: folder,
  ...more,
});

/** What a hub that means no good answers. */
type Reply = (path: string, response: ServerResponse) => boolean;

/** A hub of one repository, and a storage of another origin. */
async function writableHub() {
  const committed = new Map<string, Buffer>();
  const stored = new Map<string, Buffer>();
  const storageTokens: (string | undefined)[] = [];
  const body = async (request: IncomingMessage): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  const replies: { hub: Reply; storage: Reply } = { hub: () => false, storage: () => false };
  const storage = await serve(async (request, response) => {
    if (replies.storage(request.url ?? "", response)) return;
    storageTokens.push(request.headers.authorization);
    const bytes = await body(request);
    stored.set(createHash("sha256").update(bytes).digest("hex"), bytes);
    response.end();
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (replies.hub(request.url ?? "", response)) return;
    const text = (await body(request)).toString();
    const json = (value: unknown, status = 200) =>
      response.writeHead(status).end(JSON.stringify(value));
    if (request.headers.authorization !== "Bearer hf_right") return json({ error: "no" }, 401);
    const { url } = request;
    if (url === "/api/repos/create") return json({ error: "exists" }, 409);
    if (url?.includes("/preupload/")) {
      const { files } = JSON.parse(text) as { files: { path: string }[] };
      return json({
        files: files.map(({ path }) => ({
          path,
          uploadMode: path.endsWith(".onnx") ? "lfs" : "regular",
        })),
      });
    }
    if (url?.endsWith("/objects/batch")) {
      const { objects } = JSON.parse(text) as { objects: { oid: string }[] };
      const oid = objects[0]!.oid;
      const actions = stored.has(oid)
        ? {}
        : { actions: { upload: { href: `${storage.url}/${oid}` } } };
      return json({ objects: [{ oid, ...actions }] });
    }
    for (const line of text.trim().split("\n")) {
      const { key, value } = JSON.parse(line) as { key: string; value: Record<string, string> };
      if (key === "file") committed.set(value["path"]!, Buffer.from(value["content"]!, "base64"));
      if (key === "lfsFile") committed.set(value["path"]!, stored.get(value["oid"]!)!);
    }
    return json({ commitUrl: `${hub.url}/me/dogs/commit/1`, commitOid: "1" });
  };
  const front = await serve((request, response) => void answer(request, response));
  return {
    ...{ url: front.url, requests: front.requests, committed, storageTokens, replies },
    storageUrl: storage.url,
    async close() {
      await front.close();
      await storage.close();
    },
  };
}

describe("pushFolder", () => {
  it("uploads what an export has, large files to the storage, as one commit", async () => {
    const told: string[] = [];
    const pushed = await pushFolder(folder, "me/dogs", {
      env: env(),
      onFile: (name) => told.push(name),
    });
    expect(pushed).toEqual({ url: `${hub.url}/me/dogs/commit/1`, commit: "1" });
    expect([...hub.committed.keys()]).toEqual(["README.md", "model.onnx"]);
    expect(hub.committed.get("model.onnx")).toEqual(model);
    expect(hub.committed.get("README.md")!.toString()).toBe("# a card\n");
    expect(told).toEqual(["model.onnx"]);
    // The hub's token is not the storage's.
    expect(hub.storageTokens).toEqual([undefined]);
    // What is there already is not sent again.
    await pushFolder(folder, "me/dogs", { env: env() });
    expect(hub.storageTokens).toHaveLength(1);
  });

  it("sends nothing to a repository that is there already where a private one is asked for", async () => {
    const before = hub.requests.length;
    const pushed = pushFolder(folder, "me/dogs", { env: env(), private: true });
    await expect(pushed).rejects.toThrow("--private: me/dogs already exists");
    expect(hub.requests.length).toBe(before + 1);
  });

  it("says what the hub answers", async () => {
    const error = await pushFolder(folder, "me/dogs", { env: env({ HF_TOKEN: "hf_wrong" }) }).catch(
      (e) => e,
    );
    expect(error).toBeInstanceOf(ThawError);
    expect(error.message).toContain("the hub answers 401");
    expect(error.hint).toContain("HF_TOKEN");
    expect(hub.committed.size).toBe(0);
  });

  it("refuses before anything is sent", async () => {
    const refused = (at: string, repo: string, more = {}) =>
      expect(pushFolder(at, repo, { env: env(more) })).rejects.toBeInstanceOf(UsageError);
    await refused(folder, "dogs");
    await refused(folder, "me/dogs", { HF_TOKEN: "" });
    await refused(folder, "me/dogs", { HF_HUB_OFFLINE: "1" });
    mkdirSync(join(folder, "empty"));
    await refused(join(folder, "empty"), "me/dogs");
    await refused(join(folder, "nothing"), "me/dogs");
    expect(hub.requests).toEqual([]);
  });

  it("says that nobody answers", async () => {
    await hub.close();
    await expect(pushFolder(folder, "me/dogs", { env: env() })).rejects.toThrow(
      "cannot be reached",
    );
    hub = await writableHub();
  });
});

describe("a hub that means no good", () => {
  const refusal = async (limits: SomeLimits = {}): Promise<ThawError> => {
    const error = await pushFolder(folder, "me/dogs", { env: env(), limits }).catch((e) => e);
    expect(error).toBeInstanceOf(ThawError);
    expect(hub.committed.size).toBe(0);
    return error;
  };
  const short = { stallMs: 500, slowest: 1000 };
  const answers = (path: string, reply: (response: ServerResponse) => unknown) => {
    hub.replies.hub = (asked, response) => {
      if (!asked.includes(path)) return false;
      reply(response);
      return true;
    };
  };
  const batch = (upload: object) => (response: ServerResponse) =>
    response.end(JSON.stringify({ objects: [{ oid: "x", actions: { upload } }] }));

  it("answers without end, or a byte at a time", async () => {
    answers("/preupload/", (response) => {
      const more = () => response.destroyed || response.write("a".repeat(60_000), more);
      more();
    });
    expect((await refusal()).message).toContain("the response has more than 4194304 bytes");
    answers("/preupload/", (response) => {
      const timer = setInterval(() => response.write("a"), 20);
      response.on("close", () => clearInterval(timer));
    });
    expect((await refusal(short)).message).toMatch(
      /me\/dogs: .* cannot be reached: less than 1000 bytes/,
    );
  });

  it.each([
    ["http://[bad", {}, "http://[bad is not an http or https address"],
    ["file:///etc/passwd", {}, "file:///etc/passwd is not an http or https address"],
    ["http://127.0.0.1:1/", { "bad header": "x" }, "cannot be reached: Header name must be"],
    ["http://127.0.0.1:1/", { a: "x\ny" }, "cannot be reached: Invalid character in header"],
  ])("sends files to %s with %j", async (href, header, message) => {
    answers("/objects/batch", batch({ href, header }));
    expect((await refusal()).message).toContain(message);
  });

  it("has a storage that takes nothing, or sends on elsewhere", async () => {
    answers(
      "/objects/batch",
      batch({ href: `${hub.storageUrl}/x`, header: { "Content-Length": "3" } }),
    );
    hub.replies.storage = () => true;
    expect((await refusal(short)).message).toMatch(
      /uploading model.onnx: .* no data arrived for 0.5 s/,
    );
    hub.replies.storage = (_, response) => {
      response.writeHead(307, { location: "http://169.254.169.254/latest" }).end();
      return true;
    };
    expect((await refusal()).message).toContain("uploading model.onnx: the hub answers 307");
  });

  it("wants a large file in git itself", async () => {
    writeFileSync(join(folder, "model.onnx.data"), Buffer.alloc((10 << 20) + 1));
    expect((await refusal()).message).toContain("model.onnx.data: ");
  });

  it("answers with a deep document", async () => {
    answers("/preupload/", (r) => r.end(`${"[".repeat(300_000)}${"]".repeat(300_000)}`));
    expect((await refusal()).message).toContain("answers as no hub does");
  });

  it("sends on to another host: the token stays here", async () => {
    answers("/api/repos/create", (r) => r.writeHead(307, { location: hub.storageUrl }).end());
    await pushFolder(folder, "me/dogs", { env: env() });
    expect(hub.storageTokens).toEqual([undefined, undefined]);
  });
});
