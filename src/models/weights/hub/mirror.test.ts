import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fakeHub } from "../../../../test/support/fake-hub.ts";
import { filesListener, serve } from "../../../../test/support/file-server.ts";
import { tinyTar } from "../../../../test/support/tiny-tar.ts";
import { packageRoot } from "../../../libtorch/home.ts";
import { imagenetPreprocessing } from "../../imagenet.ts";
import { encodeSafetensors } from "../safetensors.ts";
import { parseWeightsReference } from "./reference.ts";
import { findRelease } from "./release.ts";
import { releaseOf, type WeightsRelease } from "./releases.ts";
import { type ResolveOptions, resolveWeights } from "./resolve.ts";

const weights = Buffer.concat([
  ...encodeSafetensors(new Map([["w", { dtype: "F32", shape: [2], bytes: new Uint8Array(8) }]]))
    .chunks,
]);
const config = Buffer.from('{"num_classes": 2, "label_names": {"0": "cat", "1": "dog"}}');
const commit = "b".repeat(40);
const NOWHERE = "http://127.0.0.1:9";

let home: string;
let mirror: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "thaw-mirror-"));
  mirror = join(home, "mirror");
  mkdirSync(mirror);
});
afterEach(() => rmSync(home, { recursive: true }));

const resolve = (text: string, options: Partial<ResolveOptions> = {}) =>
  resolveWeights(parseWeightsReference(text), {
    env: { HF_HOME: join(home, "hf"), HF_ENDPOINT: NOWHERE, THAW_HOME: join(home, "thaw") },
    mirror,
    ...options,
  });

function put(file: string, bytes: Uint8Array): string {
  const path = join(mirror, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

test("owner/name/model.safetensors with its config.json", async () => {
  const path = put("owner/net/model.safetensors", weights);
  put("owner/net/config.json", config);
  const found = await resolve("owner/net");
  expect(found).toEqual({ path, source: path, classes: ["cat", "dog"], notes: [] });
});

test.each(["net.safetensors", "net.th"])("%s by its own", async (file) => {
  const path = put(file, weights);
  expect((await resolve("owner/net")).path).toBe(path);
});

test("THAW_MIRROR is a mirror too, and the registry knows the preprocessing", async () => {
  const path = put("resnet50.a1_in1k.safetensors", weights);
  const env = { HF_HOME: home, HF_ENDPOINT: NOWHERE, THAW_HOME: home, THAW_MIRROR: mirror };
  const found = await resolve("resnet50", { env, mirror: undefined });
  expect(found.path).toBe(path);
  expect(found.preprocessing).toEqual(
    imagenetPreprocessing({ crop: 0.95, interpolation: "bicubic" }),
  );
});

test("a copy of the hub's cache serves its revisions", async () => {
  const hub = await fakeHub({
    "owner/net": { commit, tags: ["v1"], files: { "model.safetensors": { bytes: weights } } },
  });
  const env = { HF_HUB_CACHE: join(home, "copied"), HF_ENDPOINT: hub.url, THAW_HOME: home };
  await resolve("owner/net@v1", { env, mirror: undefined });
  await hub.close();
  cpSync(join(home, "copied"), mirror, { recursive: true, verbatimSymlinks: true });
  const found = await resolve("owner/net@v1");
  expect(found.revision).toBe(commit);
  expect(found.path.startsWith(mirror)).toBe(true);
  // The copy has no `main`, and a plain file is no revision.
  put("net.safetensors", weights);
  expect((await resolve("owner/net")).path).toBe(join(mirror, "net.safetensors"));
  await expect(resolve("owner/net@v2")).rejects.toThrow(/ECONNREFUSED|bad port/);
});

test("an address: fetched once, then from Thaw's cache", async () => {
  const server = await serve(filesListener(new Map([["m/owner/net/model.safetensors", weights]])));
  const options = { mirror: `${server.url}/m/` };
  const found = await resolve("owner/net", options);
  expect(found.source).toBe(`${server.url}/m/owner/net/model.safetensors`);
  expect(readFileSync(found.path).equals(weights)).toBe(true);
  await server.close();
  expect((await resolve("owner/net", { ...options, offline: true })).path).toBe(found.path);
});

test("an address that answers with a page of its own", async () => {
  const page = Buffer.from("<!doctype html><title>log in</title>");
  const server = await serve((_, response) => {
    response.writeHead(200).end(page);
  });
  await expect(resolve("owner/net", { mirror: server.url })).rejects.toThrow(
    `${server.url}/owner/net/model.safetensors`,
  );
  await server.close();
});

test("a mirror folder that is not there is wrong usage", async () => {
  await expect(resolve("owner/net", { mirror: join(home, "none") })).rejects.toThrow(
    /mirror .*none: there is no such folder/,
  );
});

test("a mirror without them leaves the hub", async () => {
  const error = await resolve("owner/net").catch((reason: unknown) => reason);
  expect((error as Error).message).toMatch(/ECONNREFUSED|bad port/);
});

/** As the real ones, of a few bytes. */
function tinyRelease(url?: string): { release: WeightsRelease; archive: Buffer; file: string } {
  const sum = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const archive = gzipSync(tinyTar([{ path: "x/tiny.safetensors", bytes: weights }]));
  const file = "tiny.safetensors";
  const release: WeightsRelease = {
    repo: "owner/tiny",
    onHub: false,
    model: "tiny",
    title: "Tiny",
    artifact: {
      packings: [
        { file, checksums: [`sha256:${sum(weights)}`] },
        { file: "tiny.tar.gz", checksums: [`sha256:${sum(archive)}`] },
      ],
      ...(url !== undefined && { url }),
      maxBytes: 100_000,
      contents: [{ name: file, maxBytes: 10_000, sha256: [sum(weights)] }],
    },
    note: "rounded",
  };
  return { release, archive, file };
}

const places = () => ({ cacheFolder: join(home, "weights"), offline: false });

test("a release comes from an archive of the mirror, and then from Thaw's cache", async () => {
  const { release, archive } = tinyRelease();
  const origin = put("tiny.tar.gz", archive);
  const found = await findRelease(release, mirror, places());
  const path = join(home, "weights", "tiny.safetensors");
  expect(found).toEqual({ path, source: origin, notes: ["rounded"] });
  expect(readFileSync(path).equals(weights)).toBe(true);
  expect(await findRelease(release, undefined, { ...places(), offline: true })).toEqual({
    ...found,
    source: path,
  });
});

test("a release comes from its own address, by checksum", async () => {
  const files = new Map([["tiny.safetensors", weights]]);
  const server = await serve(filesListener(files));
  const { release } = tinyRelease(`${server.url}/tiny.safetensors`);
  await expect(findRelease(release, undefined, { ...places(), offline: true })).rejects.toThrow(
    "weights of Tiny: no source has tiny.safetensors",
  );
  files.set("tiny.safetensors", Buffer.from("else"));
  await expect(findRelease(release, undefined, places())).rejects.toThrow(/expected sha256/);
  files.set("tiny.safetensors", weights);
  const found = await findRelease(release, undefined, places());
  expect(readFileSync(found.path).equals(weights)).toBe(true);
  await server.close();
});

test("a mirror's file of another checksum is an error that says both", async () => {
  put("deit_tiny_patch16_224.safetensors", weights);
  const error = await resolve("deit_tiny_patch16_224").catch((reason: unknown) => reason);
  expect((error as Error).message).toContain(
    `expected sha256 ${releaseOf("timm/deit_tiny_patch16_224.fb_in1k")!.artifact.contents[0]!.sha256[0]}`,
  );
  put("resnet20-12fca82f.th", weights);
  await expect(resolve("resnet20_cifar")).rejects.toThrow(/expected sha256 12fca82f/);
});

const shared = [process.env["THAW_MIRROR"], join(packageRoot(), "..", "shared", "data")].find(
  (folder) => folder && existsSync(join(folder, "weights-cifar10-resnets-pytorch.tar.gz")),
);
if (!shared) console.log("skipped: real weights, because no THAW_MIRROR folder has them");

test.skipIf(!shared)("the real archives give the real files", async () => {
  const sum = async (text: string) => {
    const found = await resolve(text, { mirror: shared });
    return createHash("sha256").update(readFileSync(found.path)).digest("hex");
  };
  expect(await sum("deit_tiny_patch16_224")).toMatch(/^e94b154c/);
  expect(await sum("timm/deit_tiny_patch16_224.fb_in1k")).toMatch(/^e94b154c/);
  expect(await sum("tf_efficientnet_lite0")).toMatch(/^57934424/);
  for (const [layers, digits] of [
    [20, "12fca82f"],
    [32, "d509ac18"],
    [44, "014dd654"],
    [56, "4bfd9763"],
  ]) {
    expect(await sum(`resnet${layers}_cifar`)).toMatch(new RegExp(`^${digits}`));
  }
  // Found once, they are there without the mirror and without a network.
  const later = await resolve("deit_tiny_patch16_224", { mirror: undefined });
  expect(later.notes[0]).toContain("layer norms are rounded");
});
