import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { inMemory } from "../../../test/support/in-memory.ts";
import { sampleSplits } from "../../../test/support/sample-splits.ts";
import { fillDisk, mountSmallDisk, unmountSmallDisk } from "../../../test/support/small-disk.ts";
import { writeTinyFolder } from "../../../test/support/tiny-images.ts";
import { ThawError, UsageError } from "../../errors.ts";
import { locateData, openDataset } from "../datasets/index.ts";
import { builtinDatasets } from "../datasets/registry.ts";
import type { FileImageSet } from "../fileset.ts";
import { decodeFile } from "../folders/decode-files.ts";
import { zipEntries } from "../formats/zip.ts";
import { type ImageSet, imageBytes, type MemorySplits } from "../imageset.ts";
import { packSplits } from "./pack.ts";

const root = mkdtempSync(join(tmpdir(), "thaw-pack-"));
const cache = join(root, "cache");
const fashionFolder = builtinDatasets["fashion-mnist"].system.folder;
const fashionMissing = !existsSync(join(fashionFolder, "train-images-idx3-ubyte.gz"));
if (fashionMissing)
  console.log(`skipped: real Fashion-MNIST, because ${fashionFolder} is not there`);
const disk = join(root, "disk");
mkdirSync(disk);
const noDisk = mountSmallDisk(disk, 2 ** 20);
if (noDisk !== undefined) console.log(`packing onto a small disk: skipped: ${noDisk}`);
afterAll(() => {
  if (noDisk === undefined) unmountSmallDisk(disk);
  rmSync(root, { recursive: true });
});

const sample = sampleSplits({ train: 12, val: 6, test: 6 });
/** Class and pixels of every image, sorted: an archive has its images by class. */
const contents = (set: ImageSet): string[] => {
  const size = imageBytes(set);
  return Array.from({ length: set.count }, (_, row) => {
    const pixels = createHash("sha256").update(set.images.subarray(row * size, (row + 1) * size));
    return `${set.classes[set.labels[row]!]} ${pixels.digest("hex")}`;
  }).sort();
};
const reopen = async (archive: string) =>
  inMemory(await openDataset({ data: archive, seed: 42, cache }));
async function namesIn(archive: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { path } of zipEntries(archive, { wanted: () => true })) names.push(path);
  return names;
}
const expectSame = (packed: MemorySplits, source: MemorySplits) => {
  for (const split of ["train", "val", "test"] as const) {
    const { channels, height, width } = source[split];
    expect(packed[split]).toMatchObject({ channels, height, width });
    expect(contents(packed[split])).toEqual(contents(source[split]));
  }
};

test.skipIf(fashionMissing)(
  "Fashion-MNIST comes back bit for bit, under its classes' names",
  async () => {
    const classes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal"];
    const chosen = { classes, trainSize: 120, valSize: 36, testSize: 60 };
    const data = inMemory(await openDataset({ data: "fashion-mnist", seed: 42, cache, ...chosen }));
    const out = join(root, "archive.zip");
    const { images, bytes, sha256, classes: counts } = await packSplits(data, { out, seed: 42 });
    expect(images).toBe(216);
    expect(counts["T-shirt/top"]).toEqual({ folder: "T-shirt_top", train: 20, val: 6, test: 10 });
    const written = await readFile(out);
    expect(written.length).toBe(bytes);
    expect(createHash("sha256").update(written).digest("hex")).toBe(sha256);
    const names = await namesIn(out);
    expect(names).toEqual([...names.slice(0, -1), "manifest.json"]);
    expect(names).toContain("train/T-shirt_top/00020.png");
    expect(names.filter((name) => name.startsWith("val/Sandal/"))).toHaveLength(6);

    const again = await reopen(out);
    expect(again.train.classes).toEqual([...classes].sort());
    expectSame(again, data);
    const { mean, std } = again;
    expect([mean, std]).toEqual([data.mean, data.std]);
  },
);

test("the same images give the same bytes; nothing in them is of the clock", async () => {
  const [a, b] = [join(root, "a.zip"), join(root, "b.zip")];
  const first = await packSplits(sample, { out: a, seed: 1 });
  const second = await packSplits(sample, { out: b, seed: 1 });
  const many = sampleSplits({ train: 300, val: 60, test: 60 });
  const hashes = new Set<string>();
  for (const overwrite of [false, true, true]) {
    hashes.add(
      (await packSplits(many, { out: join(root, "many.zip"), seed: 1, overwrite })).sha256,
    );
  }
  expect(hashes.size).toBe(1);
  // The manifest has all of them: none is told to be missing in it.
  expect((await reopen(join(root, "many.zip"))).notes).toEqual([
    "validation images are those in val/",
  ]);
  expect(second.sha256).toBe(first.sha256);
  const bytes = await readFile(a);
  // Local header: method (stored), then time and date (1980-01-01).
  expect([bytes.readUInt16LE(8), bytes.readUInt16LE(10), bytes.readUInt16LE(12)]).toEqual([
    0, 0, 0x21,
  ]);
  const names = await namesIn(a);
  expect(names.slice(0, 5)).toEqual([
    ...["1", "2", "3", "4"].map((n) => `train/bag/0000${n}.png`),
    "train/boot/00001.png",
  ]);
  const at = (split: string) => names.findIndex((name) => name.startsWith(`${split}/`));
  expect([at("train"), at("val"), at("test"), names.length]).toEqual([0, 12, 18, 25]);
});

test("colours stay, and so do the pictures of a folder", async () => {
  const folder = join(root, "photos");
  const image = { width: 80, height: 70 };
  await writeTinyFolder(join(folder, "train"), { cat: 3, dog: 3 }, image);
  await writeTinyFolder(join(folder, "test"), { cat: 1, dog: 1 }, { ...image, channels: 1 });
  const data = await openDataset({ data: folder, seed: 42, cache, valSize: 2 });
  expect(data.kind).toBe("files");
  const out = join(root, "photos.zip");
  await packSplits(data, { out, seed: 42 });
  const packed = await openDataset({ data: out, seed: 42, cache });
  if (packed.kind !== "files") throw new Error("photographs stay in their files");
  expect([packed.train.count, packed.val.count, packed.test.count]).toEqual([4, 2, 2]);
  for (const split of ["train", "val", "test"] as const) {
    const [source, copy] = [data, packed].map((of) => (of[split] as FileImageSet).files);
    for (const [i, file] of source!.entries()) {
      const { width, height, pixels, mode } = await decodeFile(copy![i]!);
      expect([width, height, mode]).toEqual([80, 70, split === "test" ? "L" : "RGB"]);
      expect(Buffer.compare(pixels, (await decodeFile(file)).pixels)).toBe(0);
    }
  }
});

test("small pictures in colour come back bit for bit", async () => {
  const images = Uint8Array.from({ length: 4 * 3 * 5 * 7 }, (_, i) => (i * 37) % 256);
  const set = {
    ...{ images, labels: Uint8Array.of(0, 1, 0, 1), count: 4 },
    ...{ channels: 3, height: 5, width: 7, classes: ["b", "a"] },
  };
  const data = { ...sample, train: set, val: set, test: set };
  const out = join(root, "colours.zip");
  await packSplits(data, { out, seed: 1 });
  expectSame(await reopen(out), data);
});

test("an image that was changed after packing is told by name", async () => {
  const out = join(root, "changed.zip");
  await packSplits(sample, { out, seed: 1 });
  const located = await locateData({ data: out, cache });
  if (located.kind !== "files") throw new Error("an archive's images are in files");
  await writeFile(join(located.listing.root, "val", "bag", "00001.png"), "no picture");
  await expect(reopen(out)).rejects.toThrow(/1 prepared image changed: val\/bag\/00001.png/);
});

describe("a target that cannot be", () => {
  const refusal = async (out: string, more: { overwrite?: true } = {}) => {
    const error = await packSplits(sample, { out, seed: 1, ...more }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ThawError);
    return error as ThawError;
  };

  test("taken, no .zip, a folder, in no folder: wrong usage", async () => {
    const taken = join(root, "taken.zip");
    await writeFile(taken, "mine");
    const { message, hint } = await refusal(taken);
    expect([message, hint]).toEqual([
      `--out ${taken}: is there already`,
      "replace it with --overwrite",
    ]);
    expect(await readFile(taken, "utf8")).toBe("mine");
    await packSplits(sample, { out: taken, seed: 1, overwrite: true });
    expect(await namesIn(taken)).toHaveLength(25);
    mkdirSync(join(root, "folder.zip"));
    for (const [out, why] of [
      ["archive.tar", "is no .zip by its name"],
      [join(root, "folder.zip"), "is a folder"],
      [join(root, "missing", "a.zip"), `there is no folder ${join(root, "missing")}`],
    ] as const) {
      const error = await refusal(out, { overwrite: true });
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toContain(why);
    }
  });

  test("two classes that would be one folder", async () => {
    const classes = ["a/b", "a:b", "boot"];
    const set = (of: ImageSet) => ({ ...of, classes });
    const { train, val, test } = sample;
    const data = { ...sample, train: set(train), val: set(val), test: set(test) };
    const out = join(root, "alike.zip");
    await expect(packSplits(data, { out, seed: 1 })).rejects.toThrow(
      "the classes a/b and a:b would be one folder, a_b",
    );
    expect(existsSync(out)).toBe(false);
  });

  test("an image that cannot be read leaves no archive, and the old one as it was", async () => {
    const folder = join(root, "broken");
    await writeTinyFolder(folder, { cat: 8, dog: 8 }, { width: 80, height: 70 });
    const data = await openDataset({ data: folder, seed: 42, cache });
    await writeFile(join(folder, "dog", "3.png"), "no picture");
    const place = join(root, "place");
    mkdirSync(place);
    await writeFile(join(place, "old.zip"), "old");
    const packing = packSplits(data, { out: join(place, "old.zip"), seed: 1, overwrite: true });
    await expect(packing).rejects.toThrow(/dog.3\.png: this is not an image/);
    expect(readdirSync(place)).toEqual(["old.zip"]);
    expect(await readFile(join(place, "old.zip"), "utf8")).toBe("old");
  });

  test("what onProgress throws ends it, and leaves nothing", async () => {
    const place = join(root, "stopped");
    mkdirSync(place);
    const onProgress = () => {
      throw new Error("stop");
    };
    const packing = packSplits(sample, { out: join(place, "a.zip"), seed: 1, onProgress });
    await expect(packing).rejects.toThrow("stop");
    expect(readdirSync(place)).toEqual([]);
  });

  test.skipIf(noDisk !== undefined)("a read-only disk", async () => {
    const remount = (how: string) =>
      expect(spawnSync("mount", ["-o", `remount,${how}`, disk]).status).toBe(0);
    remount("ro");
    try {
      const { message, hint } = await refusal(join(disk, "a.zip"));
      expect(message).toMatch(/a\.zip: cannot be written: the file system is read-only/);
      expect(hint).toBe("choose another folder with --out");
    } finally {
      remount("rw");
    }
  });

  test.skipIf(noDisk !== undefined)("a full disk: told, and nothing is left", async () => {
    const large = sampleSplits({ train: 900, val: 6, test: 6 });
    const free = fillDisk(disk, 60_000);
    const out = join(disk, "a.zip");
    const error = await packSplits(large, { out, seed: 1 }).catch((thrown) => thrown);
    expect(error.message).toMatch(/a\.zip: the disk is full \(\d+ bytes free\)/);
    expect(error.hint).toBe("free some space, or choose another --out; no partial archive remains");
    expect(readdirSync(disk)).toEqual(["filler"]);
    free();
    await packSplits(large, { out, seed: 1 });
    expect(readdirSync(disk)).toEqual(["a.zip"]);
  });
});
