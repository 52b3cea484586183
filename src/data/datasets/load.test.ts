import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { abandonedPath } from "../../../test/support/abandoned.ts";
import { filesListener, serve } from "../../../test/support/file-server.ts";
import {
  type TinyDataset,
  tinyIdxDataset,
  tinyTarDataset,
} from "../../../test/support/tiny-dataset.ts";
import { ExitCode, ThawError } from "../../errors.ts";
import { contentSha256 } from "./decoded-cache.ts";
import { type LoadedDataset, loadBuiltin } from "./load.ts";
import type { DatasetProgress, SourceOptions } from "./sources.ts";

let root: string;
let cacheFolder: string;
let mirror: string;
/** What the official address has; empty until a test fills it. */
let official: Map<string, Buffer>;
let server: Awaited<ReturnType<typeof serve>>;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-sources-"));
  cacheFolder = join(root, "cache", "tiny");
  mirror = join(root, "mirror");
  mkdirSync(mirror);
  official = new Map();
  server = await serve((request, response) => filesListener(official)(request, response));
});

afterEach(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

const load = ({ dataset }: TinyDataset, options: Partial<SourceOptions> = {}) =>
  loadBuiltin(dataset, { cacheFolder, ...options });
const failureOf = async (loading: Promise<unknown>): Promise<ThawError> => {
  const failure = await loading.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(ThawError);
  return failure as ThawError;
};
function putAll(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
}
const half = (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1);
/** Arrays of a hundred thousand bytes compare slowly one by one. */
const digest = ({ train, test, ...rest }: LoadedDataset) => ({
  ...rest,
  counts: [train.count, test.count],
  computed: contentSha256(train, test),
});
const decodedFile = () => join(cacheFolder, "decoded.thawdata");

test("from a mirror folder, then from the cache alone", async () => {
  const tiny = tinyIdxDataset(server.url);
  putAll(mirror, tiny.files);
  const cold = await load(tiny, { mirror });
  expect(cold.train).toMatchObject({ count: 60, channels: 1, height: 8, width: 8 });
  expect(cold.test.count).toBe(20);
  expect(cold.notes).toEqual([`Tiny IDX from ${mirror}`]);
  // A local mirror is not copied; what is kept is the decoded data.
  expect(readdirSync(cacheFolder)).toEqual(["decoded.thawdata"]);

  rmSync(mirror, { recursive: true });
  const warm = await load(tiny);
  expect(digest(warm)).toEqual(digest(cold));
  expect(warm.train.images.constructor).toBe(Uint8Array);
  expect(server.requests).toEqual([]);
});

test("a mirror's folder of the data set's name comes before files of the same name", async () => {
  const tiny = tinyIdxDataset(server.url);
  putAll(join(mirror, "tiny-idx"), tiny.files);
  for (const name of tiny.files.keys()) writeFileSync(join(mirror, name), "of another data set");
  expect((await load(tiny, { mirror })).notes).toEqual([`Tiny IDX from ${mirror}/tiny-idx`]);
});

test("from the system's package", async () => {
  const tiny = tinyIdxDataset(server.url);
  const system = { folder: join(root, "share"), install: "apt-get install tiny" };
  putAll(system.folder, tiny.files);
  const loaded = await loadBuiltin({ ...tiny.dataset, system }, { cacheFolder, mirror });
  expect(loaded.notes).toEqual([`Tiny IDX from ${system.folder}`]);
});

test("repacked files are good if their contents are", async () => {
  const tiny = tinyIdxDataset(server.url);
  putAll(mirror, tiny.files);
  const images = readFileSync(join(mirror, "test-images.gz"));
  images.writeUInt32LE(1234567, 4);
  writeFileSync(join(mirror, "test-images.gz"), images);
  expect((await load(tiny, { mirror })).test.count).toBe(20);
});

test("from the official address, with progress; downloads are kept", async () => {
  const tiny = tinyTarDataset(server.url);
  official = tiny.files;
  const said: DatasetProgress[] = [];
  const loaded = await load(tiny, { onProgress: (progress) => said.push(progress) });
  expect(loaded.notes).toEqual([`Tiny tar from ${server.url}/tiny.tar.gz`]);
  expect(new Set(said.map(({ phase }) => phase))).toEqual(new Set(["download", "unpack"]));
  const size = tiny.files.get("tiny.tar.gz")!.length;
  expect(said.find(({ received }) => received === size)).toEqual({
    phase: "download",
    file: "tiny.tar.gz",
    received: size,
    total: size,
  });
  expect(readdirSync(cacheFolder).sort()).toEqual(["decoded.thawdata", "tiny.tar.gz"]);

  rmSync(decodedFile());
  official = new Map();
  expect((await load(tiny)).notes).toEqual([`Tiny tar from ${cacheFolder}/tiny.tar.gz`]);
});

test("from a mirror on the web, under another packing, with fewer test images", async () => {
  const tiny = tinyTarDataset("http://127.0.0.1:9");
  official.set("data/tiny-part.tgz", tiny.files.get("tiny-part.tgz")!);
  const loaded = await load(tiny, { mirror: `${server.url}/data/` });
  expect(loaded.notes).toEqual([
    `Tiny tar from ${server.url}/data/tiny-part.tgz`,
    "this copy has 6 of the 12 official test images",
  ]);
  expect([loaded.train.count, loaded.test.count]).toEqual([30, 6]);
  expect(server.requests).toEqual([
    "/data/tiny-tar/tiny.tar.gz",
    "/data/tiny.tar.gz",
    "/data/tiny-tar/tiny-part.tgz",
    "/data/tiny-part.tgz",
  ]);
});

test("where a mirror has both packings, the official one; also when the part is in the cache", async () => {
  const tiny = tinyTarDataset(server.url);
  writeFileSync(join(mirror, "tiny-part.tgz"), tiny.files.get("tiny-part.tgz")!);
  const part = await load(tiny, { mirror });
  expect(part.test.count).toBe(6);
  expect((await load(tiny, { mirror })).notes).toEqual(part.notes);

  writeFileSync(join(mirror, "tiny.tar.gz"), tiny.files.get("tiny.tar.gz")!);
  const whole = await load(tiny, { mirror });
  expect(whole.test.count).toBe(12);
  expect(whole.notes).toEqual([`Tiny tar from ${mirror}/tiny.tar.gz`]);
  expect(whole.contentSha256).not.toBe(part.contentSha256);
  expect((await load(tiny)).test.count).toBe(12);
});

test("a truncated archive of a mirror names the file and both checksums", async () => {
  const tiny = tinyTarDataset(server.url);
  official = tiny.files;
  const path = join(mirror, "tiny.tar.gz");
  writeFileSync(path, half(tiny.files.get("tiny.tar.gz")!));
  const error = await failureOf(load(tiny, { mirror }));
  const [checksum] = tiny.dataset.artifacts[0]!.packings[0]!.checksums;
  expect(error.message).toContain(`${path}: damaged gzip data (unexpected end of file)`);
  expect(error.message).toContain(`expected ${checksum!.replace(":", " ")}, found md5 `);
  expect(error.hint).toContain(`${server.url}/tiny.tar.gz`);
  expect(error.exitCode).toBe(ExitCode.failed);
  expect(server.requests).toEqual([]);
  expect(existsSync(decodedFile())).toBe(false);
});

test("whole archives with other bytes name the contents and both checksums", async () => {
  const tiny = tinyIdxDataset(server.url);
  putAll(mirror, tiny.files);
  const other = gzipSync(Buffer.alloc(64));
  writeFileSync(join(mirror, "train-labels.gz"), other);
  const error = await failureOf(load(tiny, { mirror }));
  const wanted = tiny.dataset.artifacts[1]!.contents[0]!.sha256[0]!;
  expect(error.message).toContain(join(mirror, "train-labels.gz"));
  expect(error.message).toMatch(
    new RegExp(`train-labels: expected sha256 ${wanted}, found [0-9a-f]{64}`),
  );
  expect(error.message).toMatch(/packed file: expected md5 [0-9a-f]{32}, found md5 [0-9a-f]{32}/);
});

test("a test batch of no known checksum is believed only in an archive of known checksum", async () => {
  const tiny = tinyTarDataset(server.url);
  const repacked = gzipSync(
    Buffer.concat([gunzipSync(tiny.files.get("tiny.tar.gz")!), Buffer.alloc(512)]),
    { level: 1 },
  );
  writeFileSync(join(mirror, "tiny.tar.gz"), repacked);
  const error = await failureOf(load(tiny, { mirror }));
  expect(error.message).toContain("test.bin: expected sha256");
  expect(error.message).not.toContain("train.bin: expected");
});

test("a damaged download is not kept, and every source tried is named", async () => {
  const tiny = tinyTarDataset(server.url);
  official.set("tiny.tar.gz", half(tiny.files.get("tiny.tar.gz")!));
  const system = { folder: join(root, "share"), install: "apt-get install tiny" };
  const error = await failureOf(loadBuiltin({ ...tiny.dataset, system }, { cacheFolder, mirror }));
  expect(error.message).toContain("Tiny tar: no source has tiny.tar.gz");
  expect(error.message).toContain(`cache: ${join(cacheFolder, "tiny.tar.gz")}: not there`);
  expect(error.message).toContain(`mirror: ${join(mirror, "tiny-part.tgz")}: not there`);
  expect(error.message).toContain(`system: ${join(system.folder, "tiny.tar.gz")}: not there`);
  expect(error.message).toContain(`official: ${server.url}/tiny.tar.gz: damaged gzip data`);
  expect(error.message).toMatch(/expected md5 [0-9a-f]{32}, found md5 [0-9a-f]{32}/);
  expect(error.message).not.toContain(".tmp");
  expect(error.hint).toContain("apt-get install tiny");
  expect(error.hint).toContain("THAW_MIRROR");
  expect(readdirSync(cacheFolder)).toEqual([]);
});

test("a damaged file in the cache is thrown away and fetched again", async () => {
  const tiny = tinyTarDataset(server.url);
  official = tiny.files;
  const good = await load(tiny);
  rmSync(decodedFile());
  truncateSync(join(cacheFolder, "tiny.tar.gz"), 1000);
  expect(digest(await load(tiny))).toEqual(digest(good));
  expect(server.requests).toHaveLength(2);
});

test.each([
  ["truncated", (path: string) => truncateSync(path, 5000)],
  ["emptied", (path: string) => truncateSync(path, 0)],
  ["longer", (path: string) => appendFileSync(path, "x")],
  ["much longer", (path: string) => appendFileSync(path, Buffer.alloc(1_000_000))],
  ["of one other bit", (path: string) => flip(path, 4321)],
  ["of another magic", (path: string) => flip(path, 0)],
  ["of another header length", (path: string) => flip(path, 43)],
])("decoded data that are %s are made anew", async (_, damage) => {
  const tiny = tinyTarDataset(server.url);
  putAll(mirror, tiny.files);
  const good = await load(tiny, { mirror });
  damage(decodedFile());
  expect(digest(await load(tiny, { mirror }))).toEqual(digest(good));
  rmSync(mirror, { recursive: true });
  expect(digest(await load(tiny))).toEqual(digest(good));
});

test("decoded data of another recipe are made anew", async () => {
  const tiny = tinyIdxDataset(server.url);
  putAll(mirror, tiny.files);
  await load(tiny, { mirror });
  const dataset = { ...tiny.dataset, classes: ["jacket", "bag", "boot"] };
  rmSync(mirror, { recursive: true });
  await expect(loadBuiltin(dataset, { cacheFolder })).rejects.toThrow("no source has");
});

test("a cache that cannot be written costs only the next start", async () => {
  const tiny = tinyIdxDataset(server.url);
  putAll(mirror, tiny.files);
  writeFileSync(join(root, "cache"), "a file where the folder should be");
  const loaded = await load(tiny, { mirror });
  expect(loaded.train.count).toBe(60);
  expect(loaded.notes.at(-1)).toMatch(/^warning: not kept in the cache: /);
});

test("several at once: one fetches, all have the same", async () => {
  const tiny = tinyTarDataset(server.url);
  official = tiny.files;
  const all = await Promise.all([load(tiny), load(tiny), load(tiny)]);
  expect(digest(all[1])).toEqual(digest(all[0]));
  expect(digest(all[2])).toEqual(digest(all[0]));
  expect(server.requests).toHaveLength(1);
});

test("what a killed process left is cleared away", async () => {
  const tiny = tinyIdxDataset(server.url);
  putAll(mirror, tiny.files);
  mkdirSync(cacheFolder, { recursive: true });
  writeFileSync(abandonedPath(join(cacheFolder, "tiny.tar.gz")), "half");
  await load(tiny, { mirror });
  expect(readdirSync(cacheFolder)).toEqual(["decoded.thawdata"]);
});

test("a mirror folder that is not there is wrong usage", async () => {
  const error = await failureOf(load(tinyIdxDataset(server.url), { mirror: "/no/such/folder" }));
  expect(error.message).toBe("mirror /no/such/folder: there is no such folder");
  expect(error.exitCode).toBe(ExitCode.usage);
});

test("a mirror that does not answer is an error at once", async () => {
  const tiny = tinyIdxDataset(server.url);
  official = tiny.files;
  const error = await failureOf(load(tiny, { mirror: "http://127.0.0.1:9" }));
  expect(error.message).toMatch(/127\.0\.0\.1:9.*ECONNREFUSED/);
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0x10;
  writeFileSync(path, bytes);
}
