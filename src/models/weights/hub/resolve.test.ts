import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FAKE_TOKEN, type FakeHub, fakeHub, sha256 } from "../../../../test/support/fake-hub.ts";
import { ThawError } from "../../../errors.ts";
import { RepoCache } from "./cache.ts";
import { parseWeightsReference } from "./reference.ts";
import { type ResolvedWeights, type ResolveOptions, resolveWeights } from "./resolve.ts";

const commit = "a".repeat(40);
const bytes = Buffer.from(Uint8Array.from({ length: 400_000 }, (_, i) => (i * 7) >> 4));
const small = Buffer.from("weights by git's blob id");
const json = (value: unknown) => ({ bytes: Buffer.from(JSON.stringify(value)) });
const config = json({
  architecture: "net",
  num_classes: 2,
  label_names: ["cat", "dog"],
  pretrained_cfg: {
    input_size: [3, 160, 192],
    crop_pct: 0.9,
    interpolation: "bilinear",
    mean: [0.1, 0.2, 0.3],
    std: [0.4, 0.5, 0.6],
  },
});

let hub: FakeHub;
let home: string;
let waits: number[];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "thaw-hub-"));
  waits = [];
  const large = { bytes, large: true };
  hub = await fakeHub({
    "owner/net": {
      commit,
      tags: ["v1"],
      files: { "model.safetensors": large, "config.json": config },
    },
    "owner/bin": { commit, files: { "pytorch_model.bin": { bytes: small } } },
    "owner/shards": { commit, files: { "model.safetensors.index.json": json({}) } },
    "owner/empty": { commit, files: { "README.md": { bytes: small } } },
    "owner/gated": { commit, gated: true, files: { "model.safetensors": large } },
  });
});

afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true });
});

function resolve(
  text: string,
  options: Partial<ResolveOptions> & { env?: Record<string, string> } = {},
): Promise<ResolvedWeights> {
  return resolveWeights(parseWeightsReference(text), {
    retry: {
      attempts: 3,
      firstDelayMs: 1000,
      longestDelayMs: 60_000,
      wait: async (ms) => waits.push(ms),
    },
    ...options,
    env: { HF_HOME: home, HF_ENDPOINT: hub.url, THAW_HOME: home, ...options.env },
  });
}

async function failure(promise: Promise<unknown>): Promise<ThawError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ThawError);
  return error as ThawError;
}

const blobPath = (repo = "owner/net", etag = sha256(bytes)) =>
  new RepoCache(join(home, "hub"), repo).blob(etag);

describe("a repository", () => {
  test("arrives whole, with what its config.json says, and the second time only one question is asked", async () => {
    const progress: unknown[] = [];
    const found = await resolve("owner/net", { onProgress: (said) => progress.push(said) });
    expect(readFileSync(found.path).equals(bytes)).toBe(true);
    expect(found).toEqual({
      path: new RepoCache(join(home, "hub"), "owner/net").pointer(commit, "model.safetensors"),
      source: "owner/net@main",
      revision: commit,
      preprocessing: {
        size: [160, 192],
        crop: 0.9,
        interpolation: "bilinear",
        mean: [0.1, 0.2, 0.3],
        std: [0.4, 0.5, 0.6],
      },
      classes: ["cat", "dog"],
      notes: [],
    });
    const file = "model.safetensors";
    expect(progress).toContainEqual({ file, received: bytes.length, total: bytes.length });

    hub.hubRequests.length = 0;
    expect(await resolve("owner/net")).toEqual(found);
    expect(hub.hubRequests).toEqual(["HEAD /owner/net/resolve/main/model.safetensors"]);
    hub.hubRequests.length = 0;
    expect((await resolve(`owner/net@${commit}`)).path).toBe(found.path);
    expect(hub.hubRequests).toEqual([]);
  });

  test("at a tag", async () => {
    expect(await resolve("owner/net@v1")).toMatchObject({
      source: "owner/net@v1",
      revision: commit,
    });
  });

  test("without safetensors gives pytorch_model.bin", async () => {
    const found = await resolve("owner/bin");
    expect(found.path).toMatch(/pytorch_model\.bin$/);
    expect(readFileSync(found.path).equals(small)).toBe(true);
    expect(await resolve("owner/bin", { offline: true })).toEqual(found);
  });

  test.each([
    ["owner/shards", "its weights are in several files (model.safetensors.index.json)"],
    ["owner/empty", "has no model.safetensors and no pytorch_model.bin at main"],
    ["owner/net@v2", "owner/net has no revision v2 on http"],
    ["owner/none", "owner/none: no such repository on http"],
  ])("%s is refused: %s", async (text, message) => {
    expect((await failure(resolve(text))).message).toContain(message);
    expect(waits).toEqual([]);
  });

  test("that does not exist: the nearest names, and HF_TOKEN", async () => {
    const error = await failure(resolve("timm/resnet5O.a1_in1k"));
    expect(error.hint).toContain("did you mean timm/resnet50.a1_in1k?");
    expect(error.hint).toContain("if it is private, set HF_TOKEN");
  });

  test("that is gated wants its licence accepted, and then the token, which the CDN never sees", async () => {
    const error = await failure(resolve("owner/gated"));
    expect(error.message).toContain("owner/gated is gated: HTTP 401");
    expect(error.hint).toContain(`accept its licence at ${hub.url}/owner/gated, then set HF_TOKEN`);
    const found = await resolve("owner/gated", { env: { HF_TOKEN: FAKE_TOKEN } });
    expect(readFileSync(found.path).equals(bytes)).toBe(true);
    expect(hub.cdnRanges).toEqual([""]);
    expect(hub.cdnAuthorization).toEqual([]);
  });
});

describe("a bad connection", () => {
  test("cut halfway: it goes on where it was, with a new address of the CDN", async () => {
    let cuts = 2;
    hub.onCdn = (request, response) => {
      if (cuts-- <= 0) return false;
      const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      response.writeHead(from ? 206 : 200, {
        "content-length": bytes.length - from,
        ...(from && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      response.write(bytes.subarray(from, from + 100_000), () => response.destroy());
      return true;
    };
    const found = await resolve("owner/net");
    expect(readFileSync(found.path).equals(bytes)).toBe(true);
    expect(hub.cdnRanges).toHaveLength(3);
    expect(hub.cdnRanges[0]).toBe("");
    expect(hub.cdnRanges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expect(waits).toEqual([1000, 1000]);
  });

  test("cut again and again is given up; the next call goes on", async () => {
    let first = true;
    hub.onCdn = (_, response) => {
      if (first) {
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 50_000), () => response.destroy());
      } else {
        response.destroy();
      }
      first = false;
      return true;
    };
    const error = await failure(resolve("owner/net"));
    expect(error.message).toMatch(/socket hang up|ECONNRESET/);
    const partial = `${blobPath()}.incomplete`;
    const kept = readFileSync(partial).length;
    expect(kept).toBeGreaterThan(0);
    hub.onCdn = () => false;
    hub.cdnRanges.length = 0;
    await resolve("owner/net");
    expect(hub.cdnRanges).toEqual([`bytes=${kept}-`]);
    expect(existsSync(partial)).toBe(false);
  });

  test("a partial file with a wrong beginning is fetched once more from its beginning", async () => {
    mkdirSync(dirname(blobPath()), { recursive: true });
    writeFileSync(`${blobPath()}.incomplete`, Buffer.alloc(1000, 1));
    const found = await resolve("owner/net");
    expect(readFileSync(found.path).equals(bytes)).toBe(true);
    expect(hub.cdnRanges).toEqual(["bytes=1000-", ""]);
  });

  test("a server that cannot do parts", async () => {
    mkdirSync(dirname(blobPath()), { recursive: true });
    writeFileSync(`${blobPath()}.incomplete`, bytes.subarray(0, 1000));
    hub.onCdn = (_, response) => {
      response.writeHead(200, { "content-length": bytes.length }).end(bytes);
      return true;
    };
    expect(readFileSync((await resolve("owner/net")).path).equals(bytes)).toBe(true);
  });

  test("429 waits as long as Retry-After says, within bounds", async () => {
    let refusals = 1;
    hub.onHub = (_, response) => {
      if (refusals-- <= 0) return false;
      response.writeHead(429, { "retry-after": "7" }).end();
      return true;
    };
    await resolve("owner/net");
    expect(waits).toEqual([7000]);
    refusals = 1;
    hub.onHub = (_, response) => {
      response.writeHead(429, { "retry-after": "3600" }).end();
      return true;
    };
    const error = await failure(resolve("owner/bin"));
    expect(error.message).toContain("HTTP 429");
    expect(waits).toEqual([7000]);
  });

  test("5xx is tried again, ever more slowly, then given up with other ways", async () => {
    hub.onHub = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const error = await failure(resolve("owner/net"));
    expect(waits).toEqual([1000, 2000]);
    expect(error.message).toContain("HTTP 503");
    for (const way of ["HF_ENDPOINT", "--mirror", "--weights"]) expect(error.hint).toContain(way);
  });

  test("wrong bytes are named and not kept", async () => {
    const wrong = Buffer.alloc(bytes.length, 5);
    hub.onCdn = (_, response) => {
      response.writeHead(200, { "content-length": wrong.length }).end(wrong);
      return true;
    };
    const error = await failure(resolve("owner/net"));
    expect(error.message).toBe(
      `owner/net: model.safetensors arrived damaged: sha256 ${sha256(wrong)}, expected ${sha256(bytes)}; it was not kept`,
    );
    expect(readdirSync(dirname(blobPath()))).toEqual([]);
  });

  test("a small file with a wrong byte is told by git's blob id", async () => {
    hub.onHub = (request, response) => {
      if (request.method !== "GET" || !request.url?.startsWith("/api/")) return false;
      response.writeHead(200).end(Buffer.alloc(small.length, 5));
      return true;
    };
    const error = await failure(resolve("owner/bin"));
    expect(error.message).toContain("pytorch_model.bin arrived damaged: git blob id");
  });

  test("more bytes than announced are not written", async () => {
    hub.onCdn = (_, response) => {
      response.writeHead(200).end(Buffer.concat([bytes, bytes]));
      return true;
    };
    const error = await failure(resolve("owner/net"));
    expect(error.message).toContain("is longer than the 400000 bytes that were announced");
  });

  test("a server that says nothing", async () => {
    hub.onHub = () => true;
    const error = await failure(resolve("owner/net", { stallMs: 50 }));
    expect(error.message).toContain("no data arrived for 0.05 s");
  });

  test("a body that stalls is asked for anew", async () => {
    let stalls = 1;
    hub.onCdn = (_, response) => {
      if (stalls-- <= 0) return false;
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 1000));
      return true;
    };
    const found = await resolve("owner/net", { stallMs: 300 });
    expect(readFileSync(found.path).equals(bytes)).toBe(true);
    expect(hub.cdnRanges).toEqual(["", "bytes=1000-"]);
  });

  test("what is no hub", async () => {
    hub.onHub = (_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end();
      return true;
    };
    const error = await failure(resolve("owner/net"));
    expect(error.message).toContain("does not answer as a hub does");
    expect(error.hint).toContain("HF_ENDPOINT");
  });
});

describe("without a network", () => {
  test("what is cached works, and a note says why", async () => {
    const first = await resolve("owner/net");
    await hub.close();
    const second = await resolve("owner/net");
    expect(second).toMatchObject({ path: first.path, classes: ["cat", "dog"], revision: commit });
    expect(second.notes).toHaveLength(1);
    expect(second.notes[0]).toMatch(/ECONNREFUSED.*; using what is cached$/);
    expect(waits).toEqual([]);
    const offline = await resolve("owner/net", { offline: true });
    expect(offline).toMatchObject({ path: first.path, notes: [] });
  });

  test("what is not cached says what else there is", async () => {
    await hub.close();
    const error = await failure(resolve("owner/net"));
    expect(error.message).toContain("ECONNREFUSED");
    for (const way of ["HF_ENDPOINT", "--mirror", "--weights"]) expect(error.hint).toContain(way);
  });

  test("offline asks nobody", async () => {
    const error = await failure(resolve("owner/net", { env: { HF_HUB_OFFLINE: "1" } }));
    expect(error.message).toContain("owner/net is not in");
    expect(error.hint).toContain("HF_HUB_OFFLINE");
    expect(hub.hubRequests).toEqual([]);
  });

  test("a token that has expired leaves what is cached", async () => {
    const env = { HF_TOKEN: FAKE_TOKEN };
    const first = await resolve("owner/gated", { env });
    const second = await resolve("owner/gated");
    expect(second.path).toBe(first.path);
    expect(second.notes[0]).toContain("is gated");
  });
});

test("a branch that has moved to weights which do not arrive leaves those that are cached", async () => {
  const first = await resolve("owner/net");
  const other = Buffer.alloc(1000, 7);
  const moved = await fakeHub({
    "owner/net": {
      commit: "b".repeat(40),
      files: { "model.safetensors": { bytes: other, large: true } },
    },
  });
  moved.onCdn = (_, response) => {
    response.writeHead(403).end();
    return true;
  };
  const env = { HF_ENDPOINT: moved.url };
  const second = await resolve("owner/net", { env });
  expect(second).toMatchObject({ path: first.path, revision: commit });
  expect(second.notes[0]).toMatch(
    /HTTP 403 from .*, where the hub sends for it; using what is cached$/,
  );
  moved.onCdn = () => false;
  const third = await resolve("owner/net", { env });
  expect(readFileSync(third.path).equals(other)).toBe(true);
  expect(readFileSync(first.path).equals(bytes)).toBe(true);
  await moved.close();
});

test("a cached file that was cut short is fetched again", async () => {
  const { path } = await resolve("owner/net");
  writeFileSync(blobPath(), bytes.subarray(0, 10));
  expect((await resolve("owner/net")).path).toBe(path);
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test("files and runs are where they are", async () => {
  const best = join(home, "run", "checkpoints", "best.safetensors");
  mkdirSync(dirname(best), { recursive: true });
  writeFileSync(best, "");
  const run = join(home, "run");
  expect(await resolve(run)).toEqual({ path: best, source: best, notes: [] });
  expect(await resolve(best)).toEqual({ path: best, source: best, notes: [] });
  const model = join(home, "model.safetensors");
  writeFileSync(model, "");
  writeFileSync(join(home, "config.json"), config.bytes);
  expect(await resolve(home)).toMatchObject({ path: model, classes: ["cat", "dog"] });
  expect(hub.hubRequests).toEqual([]);
});
