import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../src/errors.ts";
import { evaluateRun } from "../src/evaluate/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import type { TensorData } from "../src/models/weights/index.ts";
import { loadCheckpoint, loadModel, saveCheckpoint, saveModel } from "../src/run/checkpoint.ts";
import type { TrainConfigInput } from "../src/run/config.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { checkSanity, DivergedError, findLearningRate, train } from "../src/train/index.ts";
import { expectNoLeaks } from "./support/no-leaks.ts";
import { sampleSplits } from "./support/sample-splits.ts";
import { stopAfter } from "./support/stop-after.ts";

const out = mkdtempSync(join(tmpdir(), "thaw-unusable-"));
const data = sampleSplits();
const cache = join(out, "cache");
afterAll(() => rmSync(out, { recursive: true }));
expectNoLeaks();

const config = (more: Partial<TrainConfigInput> = {}) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 1, batchSize: 16, threads: 1 },
    ...{ precision: "fp32", warmupEpochs: 0, dropout: 0, out, name: "good", ...more },
  });
const best = join(out, "good", "checkpoints", "best.safetensors");
beforeAll(async () => {
  await train(config(), data, { cache });
});

/** Tensors of which one is changed, value by value. */
function changed(
  tensors: ReadonlyMap<string, TensorData>,
  name: string,
  change: (value: number, index: number) => number,
): Map<string, TensorData> {
  const data = tensors.get(name)!;
  const bytes = new Uint8Array(
    Float32Array.from(new Float32Array(data.bytes.slice().buffer), change).buffer,
  );
  return new Map(tensors).set(name, { ...data, bytes });
}

/** A file of weights like the good one but for one tensor. */
function weightsWith(name: string, change: (value: number, index: number) => number): string {
  const file = join(out, "changed.safetensors");
  const { tensors, metadata } = loadModel(best);
  const { sha256: _, ...rest } = metadata;
  saveModel(file, changed(tensors, name, change), rest);
  return file;
}

describe("weights with a value that nothing can be computed with", () => {
  test.each([
    ["conv1.weight", Number.NaN, "NaN"],
    ["fc1.bias", Number.NEGATIVE_INFINITY, "an infinite value"],
    ["bn2.running_var", 1e38, "a value of 1.0e+38"],
  ])("%s of %d: named before a run is made, not called a divergence", async (name, value, what) => {
    const weights = weightsWith(name, (old, i) => (i === 1 ? value : old));
    const begun = train(config({ name: "bad", weights, strategy: "full" }), data, { cache });
    await expect(begun).rejects.not.toBeInstanceOf(DivergedError);
    await expect(begun).rejects.toMatchObject({
      message: `${weights}: ${name} has ${what} and cannot be used`,
      hint: expect.stringContaining("damaged"),
    });
    expect(existsSync(join(out, "bad"))).toBe(false);
  });

  test("are refused by lr-find and sanity as well", async () => {
    const weights = weightsWith("fc1.weight", () => Number.NaN);
    const asked = config({ name: "bad", weights, strategy: "full" });
    await expect(findLearningRate(asked, data)).rejects.toThrow("fc1.weight has NaN");
    await expect(checkSanity(asked, data)).rejects.toThrow("fc1.weight has NaN");
  });

  test("in a checkpoint: a resumed run names file and tensor, its optimizer's too", async () => {
    await train(config({ name: "parts", opt: "adam" }), data, { cache, ...stopAfter(2) });
    const folder = join(out, "parts", "checkpoints");
    const file = join(folder, "step-000000002.safetensors");
    const { tensors, path: _, ...info } = loadCheckpoint(file);
    const state = [...tensors.keys()].find(
      (name) => name.startsWith("optimizer.") && name.endsWith("conv1.weight"),
    );
    for (const name of [
      "model.conv1.weight",
      state ?? [...tensors.keys()].find((key) => key.startsWith("optimizer."))!,
    ]) {
      saveCheckpoint(
        folder,
        info,
        changed(tensors, name, () => Number.NaN),
      );
      const resumed = train(config({ name: "parts", opt: "adam" }), data, { cache, resume: true });
      await expect(resumed).rejects.toMatchObject({
        message: `${file}: ${name} has NaN, so training cannot resume from it`,
      });
    }
    rmSync(file);
    const whole = await train(config({ name: "parts", opt: "adam" }), data, {
      cache,
      resume: true,
    });
    expect(whole.summary.status).toBe("finished");
  });
});

describe("a first step that gives no number: the learning rate is not blamed", () => {
  test("values that overflow on the way, of weights that are numbers: the layer is named", async () => {
    let weights = weightsWith("bn3.weight", () => 1e17);
    const { tensors, metadata } = loadModel(weights);
    const { sha256: _, ...rest } = metadata;
    const large = (of: ReadonlyMap<string, TensorData>, name: string) =>
      changed(of, name, (value) => value * 1e17);
    weights = join(out, "large.safetensors");
    saveModel(weights, large(large(tensors, "fc1.weight"), "fc2.weight"), rest);
    const asked = config({ name: "large", weights, strategy: "full" });
    await expect(train(asked, data, { cache })).rejects.toMatchObject({
      message: expect.stringMatching(/^training cannot begin: fc\d gives non-finite outputs/),
      hint: expect.stringContaining("far too large"),
    });
    expect(openRun("large", out).summary).toMatchObject({ status: "failed" });
    expect(openRun("large", out).summary!.reason).not.toContain("diverged");
  });

  test("a running variance below 0, which no single value shows", async () => {
    const weights = weightsWith("bn1.running_var", () => -1);
    // Of a frozen stage: a batch norm in training does not look at it.
    const more = { weights, strategy: "partial", unfreeze: 1, featureCache: false } as const;
    await expect(train(config({ name: "negative", ...more }), data, { cache })).rejects.toThrow(
      "training cannot begin: the operation before network.fc1 gives non-finite outputs",
    );
  });

  test("a deviation close to 0", async () => {
    const begun = train(config({ name: "flat", mean: [0.4], std: [1e-30] }), data, { cache });
    await expect(begun).rejects.toMatchObject({
      message: expect.stringContaining("the normalised images of the first batch have a value of"),
      hint: expect.stringContaining("--std"),
    });
  });

  test("and one that comes later still is a divergence", async () => {
    const wild = config({ name: "wild", opt: "sgd", lr: 1e6, sched: "constant" });
    await expect(train(wild, data, { cache })).rejects.toThrow(DivergedError);
  });
});

describe("refused before a run is made", () => {
  test.each([
    [[1e39, 1, 1], "--class-weights: 1e+39 is Infinity in float32"],
    [[1e-50, 1e-50, 1e-50], "--class-weights: 1e-50 is 0 in float32"],
  ])("class weights %j", async (classWeights, message) => {
    const begun = train(config({ name: "heavy", classWeights }), data, { cache });
    await expect(begun).rejects.toMatchObject({ message, exitCode: 2 });
    expect(existsSync(join(out, "heavy"))).toBe(false);
  });

  test("a label that is no class's number", async () => {
    const labels = data.val.labels.slice();
    labels[3] = 7;
    const wrong = { ...data, val: { ...data.val, labels } };
    const begun = train(config({ name: "label" }), wrong, { cache });
    await expect(begun).rejects.toThrow(UsageError);
    await expect(begun).rejects.toThrow(
      "sample: validation image 3 has label 7, the classes are numbered 0 to 2",
    );
    expect(existsSync(join(out, "label"))).toBe(false);
  });
});

test("a model that answers NaN is not given an accuracy", async () => {
  const dir = join(out, "good");
  const { tensors, metadata } = loadModel(best);
  const { sha256: _, ...rest } = metadata;
  try {
    saveModel(
      best,
      changed(tensors, "bn1.running_var", () => -1),
      rest,
    );
    await expect(evaluateRun(dir, data, chooseCompute(config()), { cache })).rejects.toMatchObject({
      message: "the model gives NaN for 24 of 24 images in fp32",
      hint: expect.stringContaining("--mean and --std"),
    });
  } finally {
    saveModel(best, tensors, rest);
  }
});
