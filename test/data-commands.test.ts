import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { InfoReport } from "../src/data/info/report.ts";
import { fillDisk, mountSmallDisk, unmountSmallDisk } from "./support/small-disk.ts";
import { makeHome, startThaw, thaw } from "./support/thaw-process.ts";
import { writeTiny, writeTinyFolder } from "./support/tiny-images.ts";
import { makeZip } from "./zip.ts";

let root: string;
let env: { THAW_HOME: string };
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-data-"));
  env = await makeHome(join(root, "home"), 100);
  await writeTinyFolder(
    join(root, "in"),
    { cat: 40, dog: 40 },
    { width: 70, height: 66, extension: "jpg" },
  );
});
afterAll(() => rmSync(root, { recursive: true }));

const run = (...args: string[]) => thaw(["data", ...args], env);
const prepare = (...args: string[]) => run("prepare", join(root, "in"), ...args);

test("prepare says what it made, then that nothing is to do", () => {
  const out = join(root, "made");
  const first = prepare("--out", out, "--split", "70/15/15", "--seed", "42", "--min-size", "64");
  expect(first.code).toBe(0);
  expect(first.stdout).toBe("");
  expect(first.stderr).toMatch(/total +56 +12 +12 +0\n80 images in .*made \(80 linked, 0 copied\)/);
  const second = prepare("--out", out, "--min-size", "64", "--json");
  expect(second.stderr).toBe("");
  expect(JSON.parse(second.stdout)).toMatchObject({
    images: 80,
    unchanged: true,
    counts: { cat: { train: 28, val: 6, test: 6, rejected: 0 } },
  });
  expect(prepare("--out", out, "--min-size", "64").stderr).toContain(
    "nothing to do: all 80 images are in",
  );
});

test.each([
  [["prepare", "--out", "y"], "missing required argument 'source'"],
  [["prepare", "x"], "required option '--out <folder>' not specified"],
  [["prepare", "no-such-thing", "--out", "y"], "--data no-such-thing: there is no such data set"],
  [["prepare", "fashion-mnist", "--out", "y"], "is whole and split already"],
  [["prepare", "x", "--out", "y", "--split", "70/15"], '--split: "70/15" given'],
  [["prepare", "x", "--out", "y", "--split", "70/20/20"], '--split: "70/20/20" given'],
  [["prepare", "x", "--out", "y", "--split", "0/50/50"], '--split: "0/50/50" given'],
  [["prepare", "x", "--out", "y", "--min-size", "0"], '--min-size: "0" given'],
  [["info", "fashion-mnist", "--near", "1"], '--near: "1" given'],
  [["info", "fashion-mnist", "--classes", "Bag,Shoe"], 'there is no class "Shoe"'],
  [["preview", "fashion-mnist", "--aa", "trivialaugment"], '--aa: "trivialaugment" given'],
  [
    ["preview", "fashion-mnist", "--reprob", "2"],
    "--reprob: 2 given; allowed: a number at least 0",
  ],
  [["preview", "fashion-mnist", "--color-jitter", "0.1,0.2"], "--color-jitter: 2 values given"],
  [["preview", "fashion-mnist", "--aa-magnitude", "3"], "--aa-magnitude: only for aa randaugment"],
  [["preview", "fashion-mnist", "--draws", "0"], '--draws: "0" given'],
  [["preview", "fashion-mnist", "--mixup", "1"], "unknown option '--mixup'"],
  [["pack", "fashion-mnist"], "required option '--out <file>' not specified"],
  [["pack", "fashion-mnist", "--out", "a.tar"], "--out a.tar: is no .zip by its name"],
  [["pack", "fashion-mnist", "--out", "no/such/a.zip"], "--out no/such/a.zip: there is no folder"],
  [["pack", "no-such-thing", "--out", "a.zip"], "--data no-such-thing: there is no such data set"],
  [
    ["pack", "fashion-mnist", "--out", "a.zip", "--classes", "Bag,Sandals"],
    'there is no class "Sandals"\n  → did you mean "Sandal"?',
  ],
  [["pack", "fashion-mnist", "--out", "a.zip", "--test-from", "train"], "give --test-size"],
  [["pack", "fashion-mnist", "--out", "a.zip", "--val-size", "900"], "--val-size 900: nothing of"],
  [["inof"], 'unknown command "data inof"\n  → did you mean `thaw data info`?'],
])("%j is wrong usage", (args, message) => {
  const { code, stderr } = run(...args);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("help loads fast and names the commands", () => {
  expect(run("--help")).toMatchObject({ code: 0 });
  expect(run("--help").stdout).toMatch(/prepare .*\n.*info /s);
});

test("preview draws a sheet, and says which", () => {
  const out = join(root, "preview.png");
  const flags = ["--augment-crop", "2", "--aa", "trivialaugmentwide", "--reprob", "0.25"];
  const more = ["--images", "3", "--draws", "2", "--epoch", "4", "--seed", "7", "--json"];
  const { code, stdout } = run("preview", "fashion-mnist", "--out", out, ...flags, ...more);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    ...{ out, seed: 7, epoch: 4, draws: 2, images: 3 },
    augment: {
      ...{ crop: 2, flip: false, rotation: 0 },
      auto: { kind: "trivialaugmentwide", bins: 31 },
      erasing: { p: 0.25, value: "const" },
    },
  });
  expect(readFileSync(out).subarray(1, 4).toString()).toBe("PNG");
  const plain = run("preview", "fashion-mnist", "--out", out);
  expect(plain.stderr).toContain("nothing is changed: give --augment-flip");
});

test("pack writes an archive that is trained on", () => {
  const out = join(root, "archive.zip");
  const args = ["pack", "fashion-mnist", "--out", out, "--per-class", "8"];
  args.push("--classes", "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal", "--val-size", "12");
  const first = run(...args);
  expect(first.stderr).toMatch(/T-shirt\/top \(T-shirt_top\/\) +6 +2 +2\n/);
  expect(first.stderr).toMatch(/total +36 +12 +12\n60 images in .*archive\.zip, [\d,]+ bytes/);
  expect(first.code).toBe(0);
  expect(run(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining("--overwrite") });
  const again = run(...args, "--overwrite", "--json");
  expect(JSON.parse(again.stdout)).toMatchObject({
    ...{ out, images: 60, seed: 42 },
    sha256: createHash("sha256").update(readFileSync(out)).digest("hex"),
    classes: { Sandal: { folder: "Sandal", train: 6, val: 2, test: 2 } },
  });
  expect(readdirSync(root).filter((name) => name.startsWith("archive.zip"))).toHaveLength(1);

  const runs = join(root, "runs");
  const trained = thaw(
    [
      ...["train", "--data", out, "--model", "simple_cnn", "--epochs", "1", "--batch-size", "12"],
      ...["--precision", "fp32", "--threads", "1", "--out", runs, "--name", "packed"],
    ],
    env,
  );
  expect(trained.code).toBe(0);
  const summary = JSON.parse(readFileSync(join(runs, "packed", "summary.json"), "utf8"));
  expect(summary.classes).toEqual([
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
  ]);
  expect(summary.test.n).toBe(12);
});

test("a killed prepare is gone on with", async () => {
  const many = join(root, "many");
  await writeTinyFolder(many, { a: 150, b: 150 }, { width: 96, height: 96, extension: "jpg" });
  const out = join(root, "killed");
  const journal = join(out, ".thaw-prepare.jsonl");
  const { child, ended } = startThaw(["data", "prepare", many, "--out", out], env);
  const watch = setInterval(() => {
    if (existsSync(journal) && readFileSync(journal, "utf8").split("\n").length > 20)
      child.kill("SIGKILL");
  }, 1);
  const { code } = await ended;
  clearInterval(watch);
  const again = run("prepare", many, "--out", out, "--json");
  expect(again.code).toBe(0);
  const result = JSON.parse(again.stdout) as { images: number; resumed: number };
  expect(result.images).toBe(300);
  // Where it was quicker than the kill there was nothing to go on with.
  if (code === null) expect(result.resumed).toBeGreaterThan(0);
  expect(existsSync(journal)).toBe(false);
});

const disk = mkdtempSync(join(tmpdir(), "thaw-data-disk-"));
const noDisk = mountSmallDisk(disk, 4 * 2 ** 20);
if (noDisk !== undefined) console.log(`skipped: full and read-only disk, because ${noDisk}`);
afterAll(() => {
  if (noDisk === undefined) unmountSmallDisk(disk);
  rmSync(disk, { recursive: true });
});

test.skipIf(noDisk !== undefined)("a full disk is said, and the next run goes on", () => {
  const out = join(disk, "out");
  const free = fillDisk(disk, 100_000);
  const { code, stderr } = prepare("--out", out);
  expect(stderr).toContain("the disk is full");
  expect(stderr).toContain("run it again: it continues where it stopped");
  expect(code).toBe(1);
  expect(existsSync(join(out, "manifest.json"))).toBe(false);
  free();
  const again = prepare("--out", out, "--json");
  expect(again.code).toBe(0);
  const { images, copied, linked, resumed } = JSON.parse(again.stdout);
  expect([images, linked]).toEqual([80, 0]);
  // Another file system: copies.
  expect(copied).toBeGreaterThan(0);
  expect(resumed).toBeGreaterThan(0);
});

test.skipIf(noDisk !== undefined)(
  "a read-only output folder is said; one that is made is fine",
  () => {
    const out = join(disk, "done");
    expect(prepare("--out", out).code).toBe(0);
    const remount = (mode: string) => spawnSync("mount", ["-o", `remount,${mode}`, disk]).status;
    expect(remount("ro")).toBe(0);
    try {
      const { code, stderr } = prepare("--out", join(disk, "new"));
      expect(stderr).toContain("cannot be written: the file system is read-only");
      expect(stderr).toContain("choose another folder with --out");
      expect(code).toBe(1);
      expect(prepare("--out", out).stderr).toContain("nothing to do");
    } finally {
      remount("rw");
    }
  },
);

test("info finds damage, imbalance and what stands in two splits or classes", async () => {
  const data = join(root, "leaky");
  const train = (name: string) => join(data, "train", name);
  await writeTinyFolder(join(data, "train"), { cat: 12, dog: 3 }, { width: 80, height: 64 });
  await writeTinyFolder(
    join(data, "test"),
    { cat: 2, dog: 2 },
    { width: 80, height: 64, seed: 50 },
  );
  // The same bytes in another split; nearly the same pixels in another format and class.
  cpSync(train("cat/0.png"), join(data, "test/cat/leak.png"));
  await writeTiny(train("dog/same.webp"), { width: 80, height: 64, seed: 2 });
  // The same picture again, smaller and compressed.
  await writeTiny(join(data, "test/cat/near.jpg"), { width: 160, height: 128, seed: 5 });
  writeFileSync(train("dog/broken.jpg"), "no image");
  const sheet = join(root, "sheet.png");
  const { code, stdout, stderr } = run("info", data, "--json", "--sheet", sheet);
  expect([code, stderr]).toEqual([0, ""]);
  const report = JSON.parse(stdout) as InfoReport;
  expect(report.counts).toEqual({ cat: { train: 12, test: 4 }, dog: { train: 4, test: 2 } });
  expect(report.imbalance).toEqual({ ratio: 3, largest: "cat", smallest: "dog" });
  expect(report.sizes).toMatchObject({ smallest: [80, 64], largest: [160, 128], distinct: 2 });
  expect(report.formats).toEqual({ png: 20, webp: 1, jpeg: 1 });
  expect(report.damaged).toMatchObject([{ name: "train/dog/broken.jpg", split: "train" }]);
  expect(report.exact.bytes).toMatchObject({ groups: 1, acrossSplits: 1, acrossClasses: 0 });
  expect(report.exact.pixels.shown[0]!.map(({ name }) => name)).toEqual([
    "test/cat/leak.png",
    "train/cat/0.png",
  ]);
  const pairs = report.near.shown.map(({ a, b }) => [a.name, b.name].sort().join(" ~ "));
  expect(pairs).toContain("test/cat/near.jpg ~ train/cat/4.png");
  expect(pairs).toContain("train/cat/1.png ~ train/dog/same.webp");
  expect(report.near.acrossSplits).toBeGreaterThan(0);
  expect(report.near.acrossClasses).toBeGreaterThan(0);
  expect(readFileSync(sheet).subarray(1, 4).toString()).toBe("PNG");
  const spoken = run("info", data, "--no-sheet");
  expect(spoken.stdout).toContain("1 images are there more than once (1 copies), 1 in two splits");
  expect(spoken.stdout).toMatch(/near duplicates {2}\d+ pairs, .*correlation of 28 × 28 grey/);
});

test("info of a built-in set, of some of its classes, and of an archive", () => {
  const { code, stdout } = run(
    "info",
    "fashion-mnist",
    "--no-sheet",
    "--json",
    "--classes",
    "Bag,Coat",
  );
  expect(code).toBe(0);
  const report = JSON.parse(stdout) as InfoReport;
  expect(report).toMatchObject({
    classes: ["Bag", "Coat"],
    counts: { Bag: { train: 10, test: 2 } },
    modes: { L: 24 },
    exact: { bytes: null },
  });
  const image = (name: string) => readFileSync(join(root, "in", name));
  const zip = join(root, "pets.zip");
  writeFileSync(
    zip,
    makeZip([
      { name: "pets/cat/1.jpg", content: image("cat/1.jpg") },
      { name: "pets/dog/1.jpg", content: image("dog/1.jpg") },
    ]),
  );
  const packed = JSON.parse(run("info", zip, "--no-sheet", "--json").stdout) as InfoReport;
  expect(packed).toMatchObject({ name: "pets", images: 2, counts: { cat: { all: 1 } } });
});
