import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MemorySplits } from "../src/data/imageset.ts";
import {
  evaluateTogether,
  evaluateWeights,
  type Member,
  type TogetherOptions,
} from "../src/evaluate/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import { toTensorData } from "../src/models/weights/tensors.ts";
import { compareRuns } from "../src/report/index.ts";
import { newestVerified } from "../src/run/checkpoint.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { loadLastModel } from "../src/run/load-model.ts";
import { openRun } from "../src/run/read.ts";
import { openWeights } from "../src/run/weights.ts";
import { train } from "../src/train/index.ts";
import { expectNoLeaks } from "./support/no-leaks.ts";
import { sampleSplits } from "./support/sample-splits.ts";

const data = sampleSplits();
let out: string;
beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), "thaw-together-"));
  const shared = { data: "sample", batchSize: 16, threads: 1, precision: "fp32", out } as const;
  for (const [name, more] of [
    ["a", { model: "simple_cnn", epochs: 2, lr: 0.001 }],
    ["b", { model: "simple_cnn", epochs: 3, lr: 0.002, seed: 7 }],
    ["c", { model: "resnet20_cifar", epochs: 3, lr: 0.01 }],
  ] as const) {
    await train(parseConfig({ ...shared, ...more, name }), data);
  }
});
afterAll(() => rmSync(out, { recursive: true }));
expectNoLeaks();

const member = (name: string, splits: MemorySplits = data): Member => ({
  dir: join(out, name),
  data: splits,
  compute: chooseCompute({ device: "cpu", precision: "fp32" }),
});
const judge = (members: readonly Member[], options: Partial<TogetherOptions> = {}) =>
  evaluateTogether(members, { out, ...options });

/** The probabilities of a run's `predictions.csv`. */
const rowsOf = (name: string): number[][] =>
  readFileSync(join(out, name, "predictions.csv"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").slice(3).map(Number));
const filesOf = (name: string) =>
  readdirSync(join(out, name))
    .filter((file) => file !== "checkpoints")
    .sort()
    .map((file) => [file, readFileSync(join(out, name, file), "utf8")]);

test("an ensemble has a record of its own: the mean of its members' predictions; they stay as they are", async () => {
  const before = ["a", "b", "c"].map(filesOf);
  const { run, result, members } = await judge([member("a"), member("b"), member("c")], {
    vote: "soft",
  });
  expect(run.name).toBe("ensemble-soft-a-b-c");
  const [a, b, c] = ["a", "b", "c"].map(rowsOf) as [number[][], number[][], number[][]];
  for (const [i, row] of rowsOf(run.name).entries()) {
    for (const [k, p] of row.entries())
      expect(p).toBeCloseTo((a[i]![k]! + b[i]![k]! + c[i]![k]!) / 3, 5);
  }
  const record = openRun("ensemble-soft-a-b-c", out);
  expect(record.summary).toMatchObject({
    ...{ model: "simple_cnn + resnet20_cifar", strategy: "soft vote", status: "finished" },
    ...{ test: result, members: ["a", "b", "c"], best: null, epochs: 0 },
  });
  expect(members.map(({ accuracy }) => accuracy)).toEqual(
    ["a", "b", "c"].map((name) => openRun(name, out).summary!.test!.accuracy),
  );
  expect(["a", "b", "c"].map(filesOf)).toEqual(before);
  const { findings, runs } = await compareRuns({ out, into: join(out, "report") });
  expect(runs.map(({ name }) => name)).toContain("ensemble-soft-a-b-c");
  expect(findings.join(" ")).not.toContain("undefined");
  rmSync(join(out, "report"), { recursive: true });
});

test("by hard vote: shares of votes, and no loss, which would mean nothing", async () => {
  const { result, run } = await judge([member("a"), member("b"), member("c")], { vote: "hard" });
  expect(result.loss).toBeNull();
  for (const row of rowsOf(run.name)) {
    for (const p of row) expect(Math.abs(3 * p - Math.round(3 * p))).toBeLessThan(1e-5);
  }
});

test.each(["flip", "ten-crop"] as const)("--tta %s of one run: a record beside it", async (tta) => {
  const before = filesOf("a");
  const { run, result } = await judge([member("a")], { tta });
  expect(run.name).toBe(`a-${tta}`);
  expect(result.n).toBe(24);
  expect(openRun(run.name, out).summary).toMatchObject({ model: "simple_cnn", strategy: tta });
  expect(rowsOf(run.name)).not.toEqual(rowsOf("a"));
  expect(filesOf("a")).toEqual(before);
  // The same again is the same; another evaluation does not take its place.
  expect((await judge([member("a")], { tta })).result).toEqual(result);
  const other = judge([member("b")], { tta, name: run.name });
  await expect(other).rejects.toThrow(`the run a-${tta} is finished`);
});

test("--checkpoint last: the newest checkpoint's weights, of the moving average where there is one", async () => {
  const shared = { data: "sample", model: "simple_cnn", batchSize: 16, threads: 1 } as const;
  const averaged = {
    modelEma: true,
    modelEmaDecay: 0.5,
    epochs: 2,
    precision: "fp32",
    out,
  } as const;
  await train(parseConfig({ ...shared, ...averaged, name: "averaged" }), data);
  const folder = (name: string) => join(out, name, "checkpoints");
  for (const [name, prefix] of [
    ["a", "model."],
    ["averaged", "ema."],
  ] as const) {
    const { tensors } = newestVerified(folder(name)).checkpoint!;
    using model = loadLastModel(join(out, name), member(name).compute).model;
    for (const [key, tensor] of model.stateDict()) {
      expect(toTensorData(tensor)).toEqual(tensors.get(prefix + key));
    }
  }

  const { run, result } = await judge([member("a")], { checkpoint: "last" });
  expect(run.name).toBe("a-last");
  expect(openRun("a-last", out).summary).toMatchObject({ strategy: "last epoch", test: result });
  // Whatever the best is.
  const [own, other] = ["a", "b"].map((name) => join(folder(name), "best.safetensors"));
  copyFileSync(own!, join(out, "kept"));
  copyFileSync(other!, own!);
  try {
    await judge([member("a")], { checkpoint: "last", name: "again" });
    // As weights, which may be judged on other images too.
    const weights = await openWeights(join(out, "a"), { checkpoint: "last" });
    expect(weights.source).toMatch(/a\/checkpoints\/step-\d+\.safetensors$/);
    const { compute } = member("a");
    expect((await evaluateWeights(data, { weights }, compute)).result).toEqual(result);
    await expect(openWeights(own!, { checkpoint: "last" })).rejects.toThrow("is not a run");
  } finally {
    renameSync(join(out, "kept"), own!);
  }
  expect(rowsOf("again")).toEqual(rowsOf("a-last"));
  expect(rowsOf("again")).not.toEqual(rowsOf("b"));

  for (const file of readdirSync(folder("averaged"))) {
    if (file.startsWith("step-")) rmSync(join(folder("averaged"), file));
  }
  await expect(judge([member("averaged")], { checkpoint: "last" })).rejects.toThrow(
    "has no checkpoint of its last epoch",
  );
}, 180_000);

describe("what does not belong together is refused, and the difference named", () => {
  const pair = (test: Partial<MemorySplits["test"]>) =>
    judge([member("a"), member("b", { ...data, test: { ...data.test, ...test } })]);

  test("fewer test images", async () => {
    const size = 16 * 16;
    const fewer = pair({
      count: 20,
      images: data.test.images.subarray(0, 20 * size),
      labels: data.test.labels.subarray(0, 20),
    });
    await expect(fewer).rejects.toThrow("a and b have other test images: 24 and 20 of them");
  });

  test("another image, another label", async () => {
    const images = Uint8Array.from(data.test.images);
    images[3 * 256]! ^= 1;
    await expect(pair({ images })).rejects.toThrow("image 3 is not the same");
    const labels = Uint8Array.from(data.test.labels);
    labels[4] = (labels[4]! + 1) % 3;
    await expect(pair({ labels })).rejects.toThrow(/image 4 is \w+ in one and \w+ in the other/);
  });

  test("other classes", async () => {
    const path = join(out, "b", "summary.json");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replaceAll('"boot"', '"shoe"'));
    try {
      const both = judge([member("a"), member("b")]);
      await expect(both).rejects.toThrow(
        "a and b have other classes: only a has boot; only b has shoe",
      );
    } finally {
      writeFileSync(path, text);
    }
  });
});
