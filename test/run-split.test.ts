import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openDataset } from "../src/data/datasets/index.ts";
import type { FileImageSet } from "../src/data/fileset.ts";
import { openRun } from "../src/run/read.ts";
import { readSplit } from "../src/run/split-file.ts";
import { thawHere } from "./support/thaw-here.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";
import { writeTiny, writeTinyFolder } from "./support/tiny-images.ts";

let root: string;
let env: { THAW_HOME: string };
/** Where the run was trained, and where each test changes things. */
let original: string;
let place: string;
let places = 0;

const size = { width: 66, height: 66 };
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-run-split-"));
  env = await makeHome(join(root, "home"));
  original = join(root, "original");
  await writeTinyFolder(join(original, "photos"), { ant: 20, bee: 20 }, size);
  const trained = await thawHere([...trainArgs, "--name", "a", "--epochs", "1"], env, original);
  expect(trained.code, trained.stderr).toBe(0);
}, 60_000);
beforeEach(() => {
  place = join(root, `place-${++places}`);
  cpSync(original, place, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true }));

const trainArgs = [
  ...["train", "--data", "photos", "--model", "simple_cnn", "--img-size", "16"],
  ...["--batch-size", "16", "--precision", "fp32", "--threads", "1", "--track", "none"],
];
/** As a process, where it is the exit code that was wrong; else in this one, which is faster. */
const process = (...args: string[]) => thaw(args, env, place);
const run = (...args: string[]) => thawHere(args, env, place);
const splitOf = (name = "a") => {
  const split = readSplit(join(place, "runs", name));
  if (split?.kind !== "files") throw new Error("no list of files");
  return split.splits;
};
const results = () =>
  ["summary.json", "predictions.csv", "confusion_matrix.csv"].map((file) =>
    readFileSync(join(place, "runs/a", file), "utf8"),
  );

test("the split is written before training: every image once, with its class and digest", async () => {
  const { train, val, test } = splitOf();
  expect([train.length, val.length, test.length]).toEqual([28, 6, 6]);
  expect(new Set([...train, ...val, ...test].map(({ file }) => file)).size).toBe(40);
});

describe("an image of the test split is deleted", () => {
  test("evaluate names it and replaces nothing; --skip-missing writes beside; --data finds it elsewhere", async () => {
    const before = results();
    const { file } = splitOf().test[0]!;
    cpSync(join(place, "photos"), join(place, "moved"), { recursive: true });
    rmSync(join(place, "photos", file));

    const refused = process("evaluate", "a");
    expect(refused.stderr).toContain(`1 of the 6 test images of a: ${file} is missing`);
    expect(refused.stderr).toContain("--skip-missing");
    expect([refused.code, refused.stdout]).toEqual([1, ""]);

    const skipped = await run("evaluate", "a", "--skip-missing", "--json");
    expect(skipped.code, skipped.stderr).toBe(0);
    const { folder, n, leftOut } = JSON.parse(skipped.stdout);
    expect([n, leftOut]).toEqual([5, [{ split: "test", file, why: "is missing" }]]);
    expect(JSON.parse(readFileSync(join(folder, "evaluation.json"), "utf8"))).toMatchObject({
      leftOut: [{ file }],
      test: { n: 5 },
    });
    expect(results()).toEqual(before);

    const moved = await run("evaluate", "a", "--data", "moved", "--json");
    expect(moved.code, moved.stderr).toBe(0);
    expect(JSON.parse(moved.stdout)).toMatchObject(
      openRun("a", join(original, "runs")).summary!.test!,
    );
  });

  test("explain and export ask for it, too, as far as they look at it", async () => {
    const { test, train } = splitOf();
    rmSync(join(place, "photos", test[0]!.file));
    const explained = await run("explain", "a");
    expect(explained.stderr).toContain(`${test[0]!.file} is missing`);
    expect(explained.code).toBe(1);
    // Export compares on validation images, and int8 is calibrated on training images.
    rmSync(join(place, "photos", train[0]!.file));
    const int8 = await run("export", "a", "--int8");
    expect(int8.stderr).toContain(`1 of the 28 training images of a: ${train[0]!.file} is missing`);
    expect(int8.code).toBe(1);
    const exported = await run("export", "a", "--json");
    expect(exported.code, exported.stderr).toBe(0);
    expect(JSON.parse(exported.stdout).parity).toMatchObject({ split: "validation", images: 6 });
  });
});

test("adding images deals no other anew: evaluate has the same result; a new run has them near where they were", async () => {
  for (const name of ["ant/new.png", "bee/0a.png"]) {
    await writeTiny(join(place, "photos", name), { ...size, seed: 700 + name.length });
  }
  const before = results();
  const { code, stderr } = await run("evaluate", "a");
  expect([code, stderr]).toEqual([0, expect.stringContaining("2 images were added")]);
  expect(results().slice(1)).toEqual(before.slice(1));
  const grown = await openDataset({
    data: join(place, "photos"),
    seed: 42,
    cache: join(root, "c"),
  });
  const names = new Set((grown.test as FileImageSet).names);
  expect(splitOf().test.filter(({ file }) => names.has(file)).length).toBeGreaterThanOrEqual(5);
});

test("a test image that turns out damaged after training: the run is finished without it, and says so", async () => {
  const { file } = splitOf().test[1]!;
  const path = join(place, "photos", file);
  // As a run is that has failed while its test images were read.
  const summaryFile = join(place, "runs/a/summary.json");
  const summary = JSON.parse(readFileSync(summaryFile, "utf8"));
  writeFileSync(summaryFile, JSON.stringify({ ...summary, status: "failed", test: null }));
  writeFileSync(path, readFileSync(path).subarray(0, 60));

  const refused = await run("train", "--resume", "a");
  expect(refused.stderr).toContain(`${file} has different content`);
  expect(refused.code).toBe(1);

  const finished = process("train", "--resume", "a", "--skip-missing", "--json");
  expect(finished.code, finished.stderr).toBe(0);
  expect(finished.stderr).toContain("continues without 0 training, 0 validation and 1 test images");
  expect(JSON.parse(finished.stdout)).toMatchObject({
    status: "finished",
    leftOut: { train: 0, val: 0, test: 1 },
    test: { n: 5 },
  });
  // From now on these are the run's images: its own result is written again.
  const again = await run("evaluate", "a", "--json");
  expect(again.code, again.stderr).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ n: 5 });
  expect(existsSync(join(place, "runs/a/evaluations"))).toBe(false);
});

test("a run without a list of its images: evaluated where the data are the same, refused where not", async () => {
  const dir = join(place, "runs/a");
  rmSync(join(dir, "split.json"));
  // As an older version drew the splits, by the numbers of the images.
  const data = join(place, "photos");
  const drawn = await openDataset({ data, seed: 42, draw: "shuffle", cache: join(root, "c") });
  const file = join(dir, "environment.json");
  const environment = JSON.parse(readFileSync(file, "utf8"));
  environment.dataset.fingerprint = drawn.fingerprint;
  writeFileSync(file, JSON.stringify(environment));
  const same = await run("evaluate", "a", "--json");
  expect([same.code, JSON.parse(same.stdout).n], same.stderr).toEqual([0, 6]);
  rmSync(drawn.kind === "files" ? drawn.train.files[0]! : "");
  const refused = await run("evaluate", "a");
  expect(refused.stderr).toContain(
    "photos is not what a was trained on: the fingerprints of the data differ",
  );
  expect(refused.stderr).toContain("which did not record its images");
  expect(refused.code).toBe(1);
});

describe("thaw evaluate --weights RUN --data NEW", () => {
  test("every labelled image, however many splits; those that the run has learnt from are counted", async () => {
    const fresh = join(place, "fresh");
    await writeTinyFolder(join(fresh, "train"), { ant: 3, bee: 2 }, { ...size, seed: 300 });
    await writeTinyFolder(join(fresh, "test"), { ant: 2, bee: 3 }, { ...size, seed: 400 });
    // A copy of a training image, under another name.
    const { file } = splitOf().train.find(({ label }) => label === 0)!;
    cpSync(join(place, "photos", file), join(fresh, "test/ant/copy.png"));
    const all = await run("evaluate", "--weights", "a", "--data", "fresh", "--json");
    expect(all.code, all.stderr).toBe(0);
    expect(JSON.parse(all.stdout)).toMatchObject({ n: 11, split: "all" });
    expect(all.stderr).toContain("all 11 labelled images (5 train, 6 test)");
    expect(all.stderr).toContain("warning: of the 11 images, 1 was a training image of");
    const none = await run("evaluate", "--weights", "a", "--data", "fresh", "--split", "val");
    expect(none.stderr).toContain("--split val: fresh has no such split");
    expect(none.code).toBe(2);
  });

  test("a CSV whose rows are all test is data to evaluate on, and none to train on", async () => {
    const rows = splitOf().test.map(({ file }) => `photos/${file},${file.split("/")[0]},test`);
    writeFileSync(join(place, "list.csv"), `path,label,split\n${rows.join("\n")}\n`);
    const evaluated = await run("evaluate", "--weights", "a", "--data", "list.csv", "--json");
    expect(evaluated.code, evaluated.stderr).toBe(0);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ n: 6 });
    const trained = await run("train", "--data", "list.csv", "--model", "simple_cnn");
    expect(trained.stderr).toContain("all of its 6 images are in test");
    expect(trained.stderr).toContain("thaw evaluate --weights");
    expect(trained.code).toBe(2);
  });

  test("of the run's own data --split test is the run's test split, wherever they lie", async () => {
    renameSync(join(place, "photos"), join(place, "elsewhere"));
    const flags = ["--weights", "a", "--data", "elsewhere", "--precision", "fp32", "--json"];
    const { code, stdout, stderr } = await run("evaluate", ...flags, "--split", "test");
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("the test images of the run");
    expect(stderr).not.toContain("warning");
    const { accuracy, loss, n } = openRun("a", join(place, "runs")).summary!.test!;
    expect(JSON.parse(stdout)).toMatchObject({ accuracy, loss, n });
  });
});

test("a new run that starts from another is told which of its test images that one has learnt from", async () => {
  mkdirSync(join(place, "more"));
  const flags = ["--weights", "a", "--seed", "7", "--epochs", "1", "--name", "b"];
  const { code, stderr } = await run(...trainArgs, ...flags);
  expect(code, stderr).toBe(0);
  const learnt = new Set([...splitOf().train].map(({ sha256 }) => sha256));
  const count = splitOf("b").test.filter(({ sha256 }) => learnt.has(sha256)).length;
  expect(count).toBeGreaterThan(0);
  expect(stderr).toMatch(
    new RegExp(`of the 6 test images, ${count} were training images.* of .*a:`),
  );
});
