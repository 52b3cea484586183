import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRun } from "../src/run/read.ts";
import { makeHome, type Outcome, thaw } from "./support/thaw-process.ts";

let folder: string;
let out: string;
let env: { THAW_HOME: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-together-"));
  out = join(folder, "runs");
  env = await makeHome(join(folder, "home"), 400);
  for (const [name, testSize] of [
    ["a", 40],
    ["b", 40],
    ["c", 30],
  ] as const) {
    const { code, stderr } = thaw(
      [
        ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--out", out],
        ...["--epochs", "1", "--train-size", "64", "--val-size", "40", "--batch-size", "32"],
        ...["--precision", "fp32", "--threads", "1", "--lr", name === "a" ? "0.001" : "0.002"],
        ...["--name", name, "--test-size", String(testSize)],
      ],
      env,
    );
    expect(stderr).toContain("test accuracy");
    expect(code).toBe(0);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const evaluate = (...args: string[]): Outcome => thaw(["evaluate", "--out", out, ...args], env);

test("--ensemble: the members' accuracies, the result of all, and a record that reports read", () => {
  const { code, stdout, stderr } = evaluate(
    "a",
    "b",
    "--ensemble",
    "soft",
    "--tta",
    "flip",
    "--json",
  );
  const dir = join(out, "ensemble-soft-a-b-flip");
  expect(stderr).toMatch(/^ {2}a {2}\d+\.\d\d %$/m);
  expect(stderr).toContain(`the result is in ${dir}; the runs are as they were`);
  expect(JSON.parse(stdout)).toEqual({ run: dir, ...openRun(dir).summary!.test });
  expect(existsSync(join(dir, "confusion_matrix.png"))).toBe(true);
  expect(code).toBe(0);
  const again = evaluate("ensemble-soft-a-b-flip");
  expect(again.stderr).toContain("is the result of an evaluation and has no model of its own");
  expect(again.code).toBe(2);
});

test.each([
  [["a", "b"], "2 runs: how do they decide together?"],
  [["a", "--ensemble", "soft"], "--ensemble: one run is none"],
  [["a", "a", "--ensemble", "soft"], "named twice"],
  [["a", "b", "--ensemble", "sotf"], '--ensemble: "sotf" given; allowed: one of soft, hard'],
  [["a", "--tta", "five-crop"], '--tta: "five-crop" given; allowed: one of flip, ten-crop'],
  [["a", "--checkpoint", "first"], '--checkpoint: "first" given; allowed: one of best, last'],
  [["--weights", "a", "--data", "sample", "--tta", "flip"], "--tta and --ensemble go with runs"],
  [
    ["--weights", "a", "--data", "sample", "--checkpoint", "last", "--name", "x"],
    "--name and --overwrite go with --tta",
  ],
  [["a", "--name", "x"], "--name and --overwrite go with --tta, --ensemble or --checkpoint last"],
  [["a", "c", "--ensemble", "hard"], "a and c have other test images: 40 and 30 of them"],
])("%j is refused with exit code 2, and nothing is written", (args, what) => {
  const before = readdirSync(out);
  const { code, stderr } = evaluate(...args);
  expect(stderr).toContain(what);
  expect([code, readdirSync(out)]).toEqual([2, before]);
});

test("--test-from train: one test set for all seeds, and evaluate finds it again", () => {
  const train = (name: string, ...args: string[]) =>
    thaw(
      [
        ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--out", out],
        ...["--epochs", "1", "--train-size", "64", "--val-size", "40", "--batch-size", "32"],
        ...["--precision", "fp32", "--threads", "1", "--test-from", "train", "--name", name],
        ...args,
      ],
      env,
    );
  for (const seed of ["1", "2"]) {
    const { stderr } = train(`held-${seed}`, "--test-size", "50", "--seed", seed);
    expect(stderr).toContain("the 50 test images are held out of the training split");
  }
  const [one, two] = ["held-1", "held-2"].map((name) => openRun(join(out, name)));
  expect(one!.config).toMatchObject({ testFrom: "train", testSize: 50 });
  expect(one!.summary!.test!.images).toBe(two!.summary!.test!.images);
  const again = evaluate("held-2", "--json");
  expect(again.stderr).not.toContain("fingerprint");
  expect(JSON.parse(again.stdout)).toMatchObject({ n: 50, images: one!.summary!.test!.images });
  expect(evaluate("held-1", "held-2", "--ensemble", "soft").code).toBe(0);

  const missing = train("missing");
  expect(missing.stderr).toContain("--test-from: train holds test images out");
  const large = train("large", "--test-size", "400");
  expect(large.stderr).toContain("--test-size 400: there are 400 training images");
  expect([missing.code, large.code]).toEqual([2, 2]);
});
