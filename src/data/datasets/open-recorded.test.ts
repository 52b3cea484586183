import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { writeTiny, writeTinyFolder } from "../../../test/support/tiny-images.ts";
import { listImageFolder } from "../folders/image-folder.ts";
import { imagesDigest } from "../images-digest.ts";
import type { DatasetSplits } from "../imageset.ts";
import { prepareImages } from "../prepare/prepare.ts";
import { type RecordedSplit, recordSplit } from "../recorded.ts";
import { openDataset } from "./open.ts";
import { openRecorded, type RecordedChoice } from "./open-recorded.ts";

let root: string;
let cache: string;
let photos: string;
let before: DatasetSplits;
let recorded: RecordedSplit;
let copies = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-recorded-"));
  cache = join(root, "cache");
  await writeTinyFolder(join(root, "original"), { cat: 14, dog: 14 }, { width: 80, height: 70 });
  before = await openDataset({ data: join(root, "original"), seed: 1, cache });
  recorded = await recordSplit(before, cache);
});
beforeEach(() => {
  photos = join(root, `photos-${++copies}`);
  cpSync(join(root, "original"), photos, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true }));

const notes: string[] = [];
const open = (more: Partial<RecordedChoice> = {}) => {
  notes.length = 0;
  return openRecorded(recorded, {
    ...{ data: photos, run: "a", cache, needs: ["train", "val", "test"] },
    onNote: (text) => void notes.push(text),
    ...more,
  });
};
const namesOf = (data: DatasetSplits, split: "train" | "val" | "test") => {
  const set = data[split];
  return "files" in set ? set.names! : [];
};
/** A test image of the run, as `cat/3.png`. */
const testImage = () => namesOf(before, "test")[0]!;

test("data that were moved: the same images in the same splits", async () => {
  const data = await open();
  for (const split of ["train", "val", "test"] as const) {
    expect(namesOf(data, split)).toEqual(namesOf(before, split));
    expect(data[split].labels).toEqual(before[split].labels);
  }
  expect(data.fingerprint).toBe(before.fingerprint);
  expect([data.leftOut, notes]).toEqual([undefined, []]);
});

test("images that were added are not used, and are counted", async () => {
  await writeTiny(join(photos, "cat/new.png"), { width: 80, height: 70, seed: 99 });
  const data = await open();
  expect(namesOf(data, "train")).toEqual(namesOf(before, "train"));
  expect(notes).toEqual(["1 image was added since the run was trained, and is not used"]);
});

test("images that the run did not use are not taken for added ones", async () => {
  const some = await openDataset({ data: photos, seed: 1, perClass: 6, cache });
  const own = await recordSplit(some, cache);
  const said: string[] = [];
  const choice = { data: photos, run: "a", cache, needs: ["test"] as const };
  const onNote = (text: string) => void said.push(text);
  await openRecorded(own, { ...choice, onNote });
  expect(said).toEqual([]);
  await writeTiny(join(photos, "cat/new.png"), { width: 80, height: 70, seed: 99 });
  await openRecorded(own, { ...choice, onNote });
  expect(said).toEqual(["1 image was added since the run was trained, and is not used"]);
});

test("an image that was renamed is found by its content", async () => {
  renameSync(join(photos, testImage()), join(photos, testImage().replace(/\d+/, "renamed")));
  const data = await open();
  expect(data.test.count).toBe(before.test.count);
  expect(data.fingerprint).toBe(before.fingerprint);
  expect(notes[0]).toContain(`1 image was renamed: ${testImage()} → `);
});

test.each([
  ["is missing", (file: string) => rmSync(file)],
  [
    "has different content",
    (file: string) => cpSync(join(photos, namesOf(before, "train")[0]!), file),
  ],
  [
    "has different content",
    (file: string) => {
      // Cut, as a copy that was broken off.
      writeFileSync(file, "");
    },
  ],
])("a test image that %s is named; skipMissing leaves it out and says so", async (why, change) => {
  change(join(photos, testImage()));
  await expect(open()).rejects.toThrow(
    `1 of the ${before.test.count} test images of a: ${testImage()} ${why}`,
  );
  const data = await open({ skipMissing: true });
  expect(data.leftOut).toEqual([{ split: "test", file: testImage(), why }]);
  expect(namesOf(data, "test")).toEqual(namesOf(before, "test").slice(1));
  expect(data.fingerprint).not.toBe(before.fingerprint);
});

test("an image that is of another class now is named, not evaluated under its old label", async () => {
  const [from, name] = testImage().split("/") as [string, string];
  const to = from === "cat" ? "dog" : "cat";
  mkdirSync(join(photos, to), { recursive: true });
  renameSync(join(photos, testImage()), join(photos, to, `moved-${name}`));
  await expect(open()).rejects.toThrow(`${testImage()} is missing`);
});

test("two images whose names were exchanged are still themselves", async () => {
  const [a, b] = namesOf(before, "test").filter((name) => name.startsWith("cat/"));
  renameSync(join(photos, a!), join(photos, "cat/x.png"));
  renameSync(join(photos, b!), join(photos, a!));
  renameSync(join(photos, "cat/x.png"), join(photos, b!));
  const data = await open();
  expect(data.test.count).toBe(before.test.count);
  expect(data.fingerprint).toBe(before.fingerprint);
});

test("of splits that are not needed images may be missing", async () => {
  rmSync(join(photos, namesOf(before, "train")[0]!));
  const data = await open({ needs: ["test"] });
  expect([data.train.count, data.test.count]).toEqual([0, before.test.count]);
  await expect(open()).rejects.toThrow(`of the ${before.train.count} training images of a`);
});

test("where no image is left, --skip-missing does not go on", async () => {
  for (const name of namesOf(before, "test")) rmSync(join(photos, name));
  await expect(open({ needs: ["test"], skipMissing: true })).rejects.toThrow("test images of a");
});

test("small images: those of the test split alone are as they were beside the others", async () => {
  // Grey test images among coloured ones have three channels, with the others or without them.
  const small = join(root, "small");
  await writeTinyFolder(join(small, "train"), { a: 6, b: 6 }, { width: 8, height: 8 });
  await writeTinyFolder(
    join(small, "test"),
    { a: 3, b: 3 },
    { width: 8, height: 8, channels: 1, seed: 50 },
  );
  const opened = await openDataset({ data: small, seed: 1, cache });
  const kept = await recordSplit(opened, cache);
  const again = await openRecorded(kept, { data: small, run: "a", cache, needs: ["test"] });
  expect(again.kind).toBe("memory");
  expect(imagesDigest(again.test)).toBe(imagesDigest(opened.test));
});

test("classes that are several folders, called as the user calls them, are found again", async () => {
  const dogs = join(root, "dogs");
  const folders = ["n02113624-toy_poodle", "n02113712-miniature_poodle", "n02088364-beagle"];
  await writeTinyFolder(dogs, Object.fromEntries(folders.map((name) => [name, 6])), {
    ...{ width: 80, height: 70, seed: 200 },
  });
  const classes = ["poodle", "beagle"];
  const opened = await openDataset({ data: dogs, seed: 1, cache, classes });
  const kept = await recordSplit(opened, cache);
  const again = await openRecorded(kept, {
    ...{ data: dogs, run: "a", cache, classes, needs: ["train", "val", "test"] },
  });
  expect([again.fingerprint, again.leftOut]).toEqual([opened.fingerprint, undefined]);
  expect(again.train.classes).toEqual(opened.train.classes);
});

test("a prepared folder's run names and leaves out what is missing or has changed, whatever the manifest says", async () => {
  const out = join(root, "prepared");
  const listing = listImageFolder(join(root, "original"));
  await prepareImages(listing, { out, seed: 1, minSize: 8 });
  const prepared = await openDataset({ data: out, seed: 1, cache });
  const own = await recordSplit(prepared, cache);
  const [gone, changed] = namesOf(prepared, "test");
  const size = statSync(join(out, changed!)).size;
  // Prepared images may be links to the originals.
  for (const file of [gone!, changed!]) rmSync(join(out, file));
  writeFileSync(join(out, changed!), Buffer.alloc(size, 7));
  const choice = { data: out, run: "a", cache, needs: ["test"] as const };
  await expect(openRecorded(own, choice)).rejects.toThrow(
    new RegExp(
      `2 of the \\d+ test images of a: ${gone} is missing, ${changed} has different content`,
    ),
  );
  const data = await openRecorded(own, { ...choice, skipMissing: true });
  expect(data.leftOut?.map(({ file }) => file)).toEqual([gone, changed]);
});

test("a CSV's run names and leaves out an image that is missing", async () => {
  const csv = join(photos, "list.csv");
  const rows = ["cat", "dog"].flatMap((name) =>
    Array.from({ length: 14 }, (_, i) => `${name}/${i}.png,${name}`),
  );
  writeFileSync(csv, `path,label\n${rows.join("\n")}\n`);
  const listed = await openDataset({ data: csv, seed: 1, cache });
  const own = await recordSplit(listed, cache);
  const [gone] = namesOf(listed, "test");
  rmSync(join(photos, gone!));
  const choice = { data: csv, run: "a", cache, needs: ["test"] as const };
  await expect(openRecorded(own, choice)).rejects.toThrow(`${gone} is missing`);
  const data = await openRecorded(own, { ...choice, skipMissing: true });
  expect([data.test.count, data.leftOut?.length]).toEqual([listed.test.count - 1, 1]);
});
