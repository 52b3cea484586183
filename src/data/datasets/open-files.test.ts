import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mirrorWith } from "../../../test/support/mirror.ts";
import { tinyPixels, writeTiny, writeTinyFolder } from "../../../test/support/tiny-images.ts";
import { ThawError } from "../../errors.ts";
import type { FileImageSet } from "../fileset.ts";
import { checkStamp } from "../folders/stamp.ts";
import type { DatasetSplits } from "../imageset.ts";
import { type DatasetSpec, openDataset } from "./open.ts";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-open-"));
  await writeTinyFolder(join(root, "photos"), { cat: 20, dog: 20 }, { width: 80, height: 70 });
  await writeTinyFolder(
    join(root, "small/train"),
    { b: 6, a: 6 },
    { width: 28, height: 28, channels: 1 },
  );
  await writeTinyFolder(
    join(root, "small/test"),
    { a: 3, b: 3 },
    { width: 28, height: 28, channels: 1, seed: 100 },
  );
});
afterAll(() => rmSync(root, { recursive: true }));

const open = (data: string, spec: Partial<DatasetSpec> = {}) =>
  openDataset({ seed: 42, cache: join(root, "cache"), data: join(root, data), ...spec });
const sizes = ({ train, val, test }: DatasetSplits) => [train.count, val.count, test.count];
const copy = (from: string, to: string) => {
  cpSync(join(root, from), join(root, to), { recursive: true });
  return join(root, to);
};

test("photographs stay in their files, split 70/15/15 by the seed, which is said", async () => {
  const data = await open("photos");
  if (data.kind !== "files") throw new Error("in memory");
  expect(sizes(data)).toEqual([28, 6, 6]);
  expect(data.name).toBe("photos");
  expect(data.notes).toEqual([
    "no split: the images are split 70 % training, 15 % validation, 15 % test, every class in proportion, by the seed",
  ]);
  for (const set of [data.train, data.val, data.test]) {
    const cats = set.labels.filter((label) => set.classes[label] === "cat").length;
    expect(cats).toBe(set.count / 2);
    set.files.forEach((file, i) => {
      expect(file).toContain(`/photos/${set.classes[set.labels[i]!]}/`);
    });
  }
  const all = [data.train, data.val, data.test].flatMap(({ files }) => files);
  expect(new Set(all).size).toBe(40);
  expect(data.train.stamps[0]).toMatch(/^stat:\d+:\d+$/);
  const again = await open("photos");
  expect(again).toEqual(data);
  expect((await open("photos", { seed: 43 })).fingerprint).not.toBe(data.fingerprint);
});

test("subsets are seeded and stratified as those of built-in data", async () => {
  expect(sizes(await open("photos", { perClass: 10, testSize: 0.2, valSize: 4 }))).toEqual([
    16, 4, 8,
  ]);
  expect(sizes(await open("photos", { trainSize: 10, valSize: 4, testSize: 8 }))).toEqual([
    10, 4, 8,
  ]);
  expect(sizes(await open("photos", { valSize: 0 }))).toEqual([34, 0, 6]);
});

test("the fingerprint follows content and names, not the place or the time", async () => {
  copy("photos", "elsewhere");
  const { fingerprint } = await open("photos");
  expect((await open("elsewhere")).fingerprint).toBe(fingerprint);
  await writeTiny(join(root, "elsewhere/cat/0.png"), { seed: 999, width: 90, height: 70 });
  expect((await open("elsewhere")).fingerprint).not.toBe(fingerprint);
});

test("small images of one size are held in memory, pixel for pixel", async () => {
  const data = await open("small");
  if (data.kind !== "memory") throw new Error("in files");
  expect(sizes(data)).toEqual([11, 1, 6]);
  expect(data.train).toMatchObject({ channels: 1, height: 28, width: 28, classes: ["a", "b"] });
  expect(data.test.labels).toEqual(Int32Array.from([0, 0, 0, 1, 1, 1]));
  const third = data.test.images.subarray(2 * 784, 3 * 784);
  expect(third).toEqual(tinyPixels({ width: 28, height: 28, channels: 1, seed: 102 }));
  const colour = copy("small", "colour");
  await writeTiny(join(colour, "test/b/2.png"), { width: 28, height: 28, seed: 7 });
  const mixed = await open("colour");
  if (mixed.kind !== "memory") throw new Error("in files");
  expect(mixed.test.channels).toBe(3);
  const last = mixed.test.images.subarray(5 * 3 * 784);
  const pixels = tinyPixels({ width: 28, height: 28, seed: 7 });
  expect([last[0], last[784], last[2 * 784], last[783]]).toEqual([
    pixels[0],
    pixels[1],
    pixels[2],
    pixels[3 * 783],
  ]);
  await writeTiny(join(colour, "test/b/2.png"), { width: 29, height: 28, seed: 7 });
  expect((await open("colour")).kind).toBe("files");
});

test("a damaged small image is an error by its name", async () => {
  const folder = copy("small", "damaged");
  writeFileSync(join(folder, "train/a/3.png"), "no image");
  const failure = await open("damaged").catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ThawError);
  expect((failure as ThawError).message).toBe(
    "1 of 18 images cannot be used:\ntrain/a/3.png: this is not an image",
  );
  expect((failure as ThawError).hint).toContain("thaw data prepare");
});

test("classes are matched by name: missing from a split is a warning, only there an error", async () => {
  const folder = copy("small", "odd");
  rmSync(join(folder, "test/a"), { recursive: true });
  const data = await open("odd");
  expect(data.notes).toContain("warning: no test image of: a");
  // Its position among the test folders is 0, its name "b".
  expect([...data.test.labels]).toEqual([1, 1, 1]);
  await writeTiny(join(folder, "val/c/1.png"), { width: 28, height: 28, channels: 1, seed: 5 });
  await expect(open("odd")).rejects.toThrow(
    "no training image, but validation or test images, of: c",
  );
});

test("a class with one image is trained on, an empty one is a warning", async () => {
  const folder = copy("photos", "rare");
  await writeTiny(join(folder, "lynx/1.png"), { width: 80, height: 70, seed: 500 });
  mkdirSync(join(folder, "ghost"));
  for (let seed = 1; seed < 6; seed++) {
    const data = await open("rare", { seed });
    const lynx = data.train.classes.indexOf("lynx");
    expect(data.train.labels.filter((label: number) => label === lynx)).toHaveLength(1);
    expect(data.notes).toEqual(
      expect.arrayContaining([
        "warning: no image at all of: ghost",
        "warning: no test image of: lynx",
      ]),
    );
  }
});

test("a source's own validation images are used, or as many as are asked for", async () => {
  const folder = copy("small", "own");
  await writeTinyFolder(
    join(folder, "valid"),
    { a: 4, b: 4 },
    { width: 28, height: 28, channels: 1, seed: 300 },
  );
  const data = await open("own");
  expect(sizes(data)).toEqual([12, 8, 6]);
  expect(data.notes).toEqual(["validation images are those in valid/"]);
  expect(sizes(await open("own", { valSize: 2 }))).toEqual([12, 2, 6]);
  await expect(open("own", { valSize: 9 })).rejects.toThrow("there are 8 validation images");
  rmSync(join(folder, "test"), { recursive: true });
  const held = await open("own");
  expect(sizes(held)).toEqual([10, 8, 2]);
  expect(held.notes).toContain(
    "no test split: 15 % of the training images are held out, every class in proportion, by the seed",
  );
});

test("many small images are decoded once, and again where a file has changed", async () => {
  const folder = join(root, "many");
  await writeTinyFolder(folder, { a: 1001, b: 1001 }, { width: 4, height: 4, channels: 1 });
  const first = await open("many");
  const kept = () => readdirSync(join(root, "cache/decoded"));
  expect(kept()).toHaveLength(1);
  const second = await open("many");
  expect(second).toEqual(first);
  await writeTiny(join(folder, "a/0.png"), { width: 4, height: 4, channels: 3, seed: 9999 });
  const third = await open("many");
  expect(third.kind === "memory" && third.train.channels).toBe(3);
  expect(kept()).toHaveLength(2);
});

test("an image that changes or vanishes after it was listed is told by its stamp", async () => {
  copy("photos", "changing");
  const data = await open("changing");
  if (data.kind !== "files") throw new Error("in memory");
  const [file, stamp] = [data.train.files[0]!, data.train.stamps[0]!];
  const bytes = readFileSync(file);
  checkStamp(file, bytes, stamp);
  utimesSync(file, 1, 1);
  expect(() => checkStamp(file, bytes, stamp)).toThrow(`${file}: was written again since`);
  expect(() => checkStamp(file, bytes.subarray(1), stamp)).toThrow(
    `${file}: has ${bytes.length - 1} bytes, had ${bytes.length} when it was listed`,
  );
  rmSync(file);
  expect(() => checkStamp(file, bytes, stamp)).toThrow(`${file}: is not there any more`);
});

const mirror = mirrorWith("stanford-dogs-5.tar.gz");

test.skipIf(mirror === undefined)("five breeds of Stanford Dogs from a mirror", async () => {
  const classes = ["beagle", "boxer", "german_shepherd", "golden_retriever", "poodle"];
  const data = await openDataset({
    data: "stanford-dogs",
    seed: 42,
    classes,
    mirror,
    cache: join(root, "cache"),
  });
  expect(data.kind).toBe("files");
  expect(data.train.classes).toEqual(classes);
  expect(sizes(data)).toEqual([565, 121, 121]);
  expect(data.notes).toContain(
    "this copy has 807 of the 20580 official images, 5 of the 120 breeds",
  );
});

test("a copy of Stanford Dogs that is not whole is an error by its checksum", async () => {
  mkdirSync(join(root, "bad-mirror"));
  writeFileSync(join(root, "bad-mirror/images.tar"), "not the archive");
  await expect(
    openDataset({ data: "stanford-dogs", seed: 1, mirror: join(root, "bad-mirror"), cache: root }),
  ).rejects.toThrow(/images\.tar is damaged, or not the file that is meant\n.*a443fc2f/);
});

test("images that are added leave the others in their splits, but for the borders", async () => {
  const folder = copy("photos", "grown");
  const splitOf = (data: DatasetSplits) =>
    new Map(
      (["train", "val", "test"] as const).flatMap((split) =>
        (data[split] as FileImageSet).names!.map((name) => [name, split] as const),
      ),
    );
  const before = splitOf(await open("photos"));
  // In the middle of the names, at their end, and more of one class than of the other.
  for (const name of ["cat/100.png", "cat/15a.png", "cat/zz.png", "dog/00.png"]) {
    await writeTiny(join(folder, name), { width: 80, height: 70, seed: 900 + name.length });
  }
  const data = await open("grown");
  const after = splitOf(data);
  expect(sizes(data)).toEqual([30, 7, 7]);
  const moved = [...before].filter(([name, split]) => after.get(name) !== split);
  // One image more is for validation and one for the test; each that is new there takes the place of one at most.
  const isHeldOut = (name: string) => after.get(name) !== "train";
  const added = [...after.keys()].filter((name) => !before.has(name));
  expect(added.length).toBe(4);
  expect(moved.length).toBeLessThanOrEqual(2 + added.filter(isHeldOut).length);
  expect(moved.filter(([name, split]) => split !== "train" && isHeldOut(name))).toEqual([]);
  const shuffled = [
    await open("photos", { draw: "shuffle" }),
    await open("grown", { draw: "shuffle" }),
  ];
  const [old, anew] = shuffled.map(splitOf);
  expect([...old!].filter(([name, split]) => anew!.get(name) !== split).length).toBeGreaterThan(6);
});
