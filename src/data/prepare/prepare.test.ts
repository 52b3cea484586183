import {
  appendFileSync,
  cpSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { mirrorWith } from "../../../test/support/mirror.ts";
import { encodeTiny, writeTiny, writeTinyFolder } from "../../../test/support/tiny-images.ts";
import { UsageError } from "../../errors.ts";
import { loadNative } from "../../libtorch/index.ts";
import { locateData, openDataset } from "../datasets/index.ts";
import { listImageFolder } from "../folders/image-folder.ts";
import { readManifest, withManifest } from "../folders/manifest.ts";
import { checkStamp } from "../folders/stamp.ts";
import { JOURNAL } from "../folders/unfinished.ts";
import { parseCsv } from "../formats/csv.ts";
import { type Prepared, type PrepareOptions, prepareImages } from "./prepare.ts";

beforeAll(() => loadNative());
let root: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-prepare-"));
  await writeTinyFolder(join(root, "in"), { cat: 20, dog: 20 }, { width: 70, height: 66 });
});
afterEach(() => rmSync(root, { recursive: true }));

const out = () => join(root, "out");
const prepare = (options: Partial<PrepareOptions> = {}, source = "in"): Promise<Prepared> =>
  prepareImages(listImageFolder(join(root, source)), {
    out: out(),
    seed: 42,
    minSize: 64,
    ...options,
  });
/** Every file with its content and the time it was written. */
const snapshot = (folder = out()) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => [
      path.slice(folder.length),
      readFileSync(path, "base64"),
      statSync(path).mtimeMs,
    ]);
const splitCounts = ({ manifest }: Prepared) =>
  ["train", "val", "test"].map(
    (split) => manifest.files.filter(({ file }) => file.startsWith(`${split}/`)).length,
  );

test("a stratified tree of hard links with a manifest, which can be opened", async () => {
  const prepared = await prepare();
  expect(splitCounts(prepared)).toEqual([28, 6, 6]);
  expect(prepared).toMatchObject({ linked: 40, copied: 0, resumed: 0, rejected: [] });
  for (const { file, from, sha256, bytes } of prepared.manifest.files) {
    const made = statSync(join(out(), file));
    expect(made.ino).toBe(statSync(join(root, "in", from)).ino);
    expect([made.size, sha256.length]).toEqual([bytes, 64]);
  }
  expect(readdirSync(out()).sort()).toEqual([
    "manifest.json",
    "rejected.csv",
    "test",
    "train",
    "val",
  ]);
  const data = await openDataset({ data: out(), seed: 1 });
  expect([data.train.count, data.val.count, data.test.count]).toEqual([28, 6, 6]);
  expect(data.kind === "files" && data.train.stamps[0]).toMatch(/^sha256:[0-9a-f]{64}$/);
});

test("the same seed gives the split that opening the source itself gives", async () => {
  const { manifest } = await prepare();
  const direct = await openDataset({ data: join(root, "in"), seed: 42 });
  if (direct.kind !== "files") throw new Error("in memory");
  const own = direct.test.files.map((file) => file.slice(join(root, "in").length + 1));
  const prepared = manifest.files.filter(({ file }) => file.startsWith("test/"));
  expect(prepared.map(({ from }) => from).sort()).toEqual(own.sort());
});

test("it is deterministic, and a second run changes nothing", async () => {
  const first = await prepare();
  const before = snapshot();
  const second = await prepare();
  expect(second).toMatchObject({ linked: 0, copied: 0, manifest: first.manifest });
  expect(snapshot()).toEqual(before);
  cpSync(join(root, "in"), join(root, "copy"), { recursive: true, preserveTimestamps: true });
  const elsewhere = await prepare({ out: join(root, "out2") }, "copy");
  const names = (prepared: Prepared) => prepared.manifest.files.map(({ file }) => file);
  expect(names(elsewhere)).toEqual(names(first));
  const other = await prepare({ out: join(root, "out3"), seed: 43 });
  expect(names(other)).not.toEqual(names(first));
});

test("damaged, small and other files are set aside with the reason", async () => {
  const folder = join(root, "in/cat");
  writeFileSync(join(folder, "empty.jpg"), "");
  writeFileSync(join(folder, "text.png"), "not an image");
  writeFileSync(join(folder, "notes.txt"), "some notes");
  writeFileSync(join(folder, ".hidden.png"), "x");
  await writeTiny(join(folder, "small.png"), { width: 63, height: 200, seed: 900 });
  const jpeg = await encodeTiny({ width: 100, height: 100, seed: 901 }, "jpeg");
  writeFileSync(join(folder, "cut.jpg"), jpeg.subarray(0, jpeg.length / 2));
  // An image by its content is one, whatever it is called.
  writeFileSync(join(folder, "photo"), jpeg);
  const { rejected, manifest } = await prepare();
  const reasons = Object.fromEntries(rejected.map(({ file, reason }) => [file, reason]));
  expect(reasons["cat/small.png"]).toBe("too small: 63 × 200 pixels, under 64");
  expect(reasons["cat/notes.txt"]).toBe("not an image");
  expect(reasons["cat/.hidden.png"]).toBe("a hidden file");
  expect(Object.keys(reasons).sort()).toEqual(
    [".hidden.png", "cut.jpg", "empty.jpg", "notes.txt", "small.png", "text.png"].map(
      (name) => `cat/${name}`,
    ),
  );
  expect(manifest.files.find(({ from }) => from === "cat/photo")?.file).toMatch(
    /\/cat\/photo\.jpg$/,
  );
  const rows = parseCsv(readFileSync(join(out(), "rejected.csv"), "utf8"), "rejected.csv");
  expect(rows[0]).toEqual(["file", "class", "reason"]);
  expect(rows.slice(1)).toHaveLength(6);
  // The second run knows them still.
  expect((await prepare()).rejected).toEqual(rejected);
});

test("an interrupted run is gone on with: nothing is decoded twice, the tree is the same", async () => {
  await prepare({ out: join(root, "whole") });
  const stop = prepare({
    onProgress: (done) => {
      if (done === 25) throw new Error("killed");
    },
  });
  await expect(stop).rejects.toThrow("killed");
  expect(readManifest(out())).toBeUndefined();
  // Killed in the middle of a line, and with an image of another plan in the tree.
  const journal = join(out(), JOURNAL);
  truncateSync(journal, statSync(journal).size - 7);
  await writeTiny(join(out(), "val/cat/other.png"), { seed: 1 });
  const resumed = await prepare();
  expect(resumed.resumed).toBe(24);
  const relative = (folder: string) => snapshot(folder).map(([name, content]) => [name, content]);
  expect(relative(out())).toEqual(relative(join(root, "whole")));
});

test("a file that has changed since the interruption is examined again", async () => {
  const stop = prepare({
    onProgress: (done) => {
      if (done === 40) throw new Error("killed");
    },
  });
  await expect(stop).rejects.toThrow("killed");
  writeFileSync(join(root, "in/cat/0.png"), "no image any more");
  const { rejected, resumed } = await prepare();
  expect(resumed).toBe(39);
  expect(rejected.map(({ file }) => file)).toEqual(["cat/0.png"]);
});

test("a tree that has lost images is mended", async () => {
  const { manifest } = await prepare();
  const before = snapshot().map(([name, content]) => [name, content]);
  rmSync(join(out(), manifest.files[3]!.file));
  writeFileSync(join(out(), "rejected.csv"), "");
  rmSync(join(out(), "rejected.csv"));
  expect(await prepare()).toMatchObject({ linked: 1, copied: 0 });
  expect(snapshot().map(([name, content]) => [name, content])).toEqual(before);
});

test("what was prepared otherwise is not touched without being told to", async () => {
  await prepare();
  const before = snapshot();
  await expect(prepare({ seed: 43, minSize: 32 })).rejects.toThrow(
    "was prepared otherwise: seed 42, now 43; min-size 64, now 32",
  );
  await expect(prepare({ split: [0.8, 0.1, 0.1] })).rejects.toThrow("split 70/15/15, now 80/10/10");
  utimesSync(join(root, "in/cat/0.png"), 1, 1);
  await expect(prepare()).rejects.toThrow("the source's files have changed");
  expect(snapshot().map(([name]) => name)).toEqual(before.map(([name]) => name));
  const replaced = await prepare({ split: [0.8, 0.1, 0.1], overwrite: true });
  expect(splitCounts(replaced)).toEqual([32, 4, 4]);
  expect(snapshot()).toHaveLength(42);
});

test("a folder with something else in it, and one inside the source, are refused", async () => {
  await writeTiny(join(out(), "mine.png"), { seed: 1 });
  await expect(prepare()).rejects.toThrow("is not empty, and nothing was prepared there");
  await expect(prepare()).rejects.toThrow(UsageError);
  await expect(prepare({ out: join(root, "in/cat/out") })).rejects.toThrow("lies in the source");
  await expect(prepare({ out: root })).rejects.toThrow("or the source in it");
});

test("equal pixels stay in one split, and are said with classes that disagree", async () => {
  for (let i = 0; i < 8; i++) {
    linkSync(join(root, "in/cat/0.png"), join(root, `in/cat/again-${i}.png`));
  }
  linkSync(join(root, "in/cat/0.png"), join(root, "in/dog/too.png"));
  const { manifest, notes } = await prepare();
  const copies = manifest.files.filter(({ from }) => /again|too|cat\/0\.png/.test(from));
  expect(copies).toHaveLength(10);
  expect(new Set(copies.map(({ file }) => file.split("/")[0])).size).toBe(1);
  expect(notes).toEqual([
    "9 images have the same pixels as another; each stays in the other's split",
    "warning: 1 images stand in more than one class, as cat/0.png does",
  ]);
});

test("a source's own splits are kept, and a leak between them is said; --split makes new ones", async () => {
  const folder = join(root, "splits");
  await writeTinyFolder(join(folder, "train"), { a: 10, b: 10 }, { width: 64, height: 64 });
  await writeTinyFolder(
    join(folder, "validation"),
    { a: 2, b: 2 },
    { width: 64, height: 64, seed: 70 },
  );
  await writeTinyFolder(join(folder, "test"), { a: 3, b: 3 }, { width: 64, height: 64, seed: 1 });
  const kept = await prepare({}, "splits");
  expect(splitCounts(kept)).toEqual([20, 4, 6]);
  expect(kept.manifest.split).toBeNull();
  expect(kept.notes).toContain(
    "warning: 6 images stand in two splits with the same pixels, as in the source: --split makes new splits",
  );
  const made = await prepare({ split: [0.5, 0.25, 0.25], out: join(root, "made") }, "splits");
  const [train, , test] = splitCounts(made);
  expect(train! + test!).toBeLessThan(30);
  expect(made.notes.join()).not.toContain("two splits");
});

test("files of one name in folders of a class, and class names that no file system takes", async () => {
  await writeTiny(join(root, "in/cat/more/0.png"), { width: 70, height: 66, seed: 800 });
  await writeTiny(join(root, "in/cat/MORE/0.PNG"), { width: 70, height: 66, seed: 801 });
  const listing = listImageFolder(join(root, "in"));
  const renamed = {
    ...listing,
    classes: ["cat/tom", "dog"],
    files: listing.files.map((file) =>
      file.className === "cat" ? { ...file, className: "cat/tom" } : file,
    ),
  };
  const options = { out: out(), seed: 42, minSize: 64, split: [1, 0, 0] as const };
  const { manifest } = await prepareImages(renamed, options);
  const zeros = manifest.files.filter(
    ({ from }) => /cat\/.*0\.png$/i.test(from) && !/10/.test(from),
  );
  expect(zeros.map(({ file }) => file.replace(/-[0-9a-f]{8}/, "-#")).sort()).toEqual([
    "train/cat_tom/0-#.PNG",
    "train/cat_tom/0-#.png",
    "train/cat_tom/0.png",
  ]);
});

test("an image that changes or vanishes after preparing is an error by its name", async () => {
  const { manifest } = await prepare();
  const { file, sha256 } = manifest.files[0]!;
  const path = join(out(), file);
  const bytes = readFileSync(path);
  checkStamp(path, bytes, `sha256:${sha256}`);
  // Of the same size: only its content tells.
  bytes[40]! ^= 1;
  expect(() => checkStamp(path, bytes, `sha256:${sha256}`)).toThrow(
    "its content has changed since",
  );
  appendFileSync(path, "more");
  const list = () => withManifest(listImageFolder(out()));
  expect(list).toThrow(`1 prepared image changed: ${file}`);
  rmSync(path);
  expect(list).toThrow(`1 prepared image missing: ${file}`);
  await expect(openDataset({ data: out(), seed: 1 })).rejects.toThrow("1 prepared image missing");
});

const mirror = mirrorWith("nasty-images.tar.gz");

test.skipIf(mirror === undefined)(
  "of 112 nasty files each is taken or rejected with a reason",
  async () => {
    const source = await locateData({
      data: join(mirror!, "nasty-images.tar.gz"),
      cache: join(root, "cache"),
    });
    if (source.kind !== "files") throw new Error("in memory");
    const options = { out: out(), seed: 42, minSize: 1 };
    const { manifest, rejected } = await prepareImages(source.listing, options);
    // A hidden file stays in its archive.
    expect(manifest.files.length + rejected.length).toBe(111);
    expect(rejected.filter(({ reason }) => reason.length < 5)).toEqual([]);
    const taken = manifest.files.map(({ from }) => from);
    expect(taken).toEqual(
      expect.arrayContaining([
        "names-and-types/naïve-猫.jpg",
        "names-and-types/with space & (1).jpeg",
        "names-and-types/no-extension",
        "bombs/grey-100000x1.png",
      ]),
    );
    const refused = rejected.map(({ file }) => file);
    expect(refused).toEqual(
      expect.arrayContaining([
        "bombs/rgb-30000x30000.png",
        "broken/truncated_jpeg.jpg",
        "names-and-types/empty.jpg",
        "names-and-types/page.png",
      ]),
    );
  },
);
