import { describe, expect, it } from "vitest";
import { formulaInput } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import type { Batch } from "../data/loader.ts";
import { chooseCompute, createModel } from "../models/index.ts";
import { crossEntropy, type Module } from "../nn/index.ts";
import { GradScaler, sgd } from "../optim/index.ts";
import { parseConfig } from "../run/config-load.ts";
import { Generator, ops, scope, Tensor, unscoped } from "../tensor/index.ts";
import { type Accumulation, accumulationAt, updatesPerEpoch } from "./accumulation.ts";
import { makeLoss } from "./loss.ts";
import { DivergedError, type StepOptions, trainStep } from "./step.ts";

expectNoLeaks();

const compute = chooseCompute({ device: "cpu", precision: "fp32" });
const plain: StepOptions = {
  ...compute,
  lr: 0.1,
  clipGrad: undefined,
  loss: (logits, { labels }) => crossEntropy(logits, labels),
};

describe("which batches share an update", () => {
  // timm 1.0.15's train.py: `need_update` and `accum_steps` of every batch.
  it.each<[number, number, string]>([
    [4, 1, "1! 1! 1! 1!"],
    [6, 2, "2 2! 2 2! 2 2!"],
    [5, 2, "2 2! 2 2! 1!"],
    [7, 3, "3 3 3! 3 3 3! 1!"],
    [5, 3, "3 3 3! 2 2!"],
    [2, 4, "2 2!"],
  ])("%d batches by %d: %s", (batches, steps, expected) => {
    const parts = Array.from({ length: batches }, (_, i) => accumulationAt(i, batches, steps));
    const shown = parts.map(({ batches: of, isLast }) => `${of}${isLast ? "!" : ""}`);
    expect(shown.join(" ")).toBe(expected);
    expect(updatesPerEpoch(batches, steps)).toBe(parts.filter(({ isLast }) => isLast).length);
  });
});

/** A ViT, which has no batch statistics, and what steps on eight images make of it. */
function trained(
  parts: readonly Accumulation[],
  more: Partial<StepOptions> = {},
): { losses: number[]; values: Float32Array; updates: boolean[] } {
  using random = new Generator(3);
  using model = createModel("vit_tiny_patch16_224", {
    ...{ classes: 3, inChannels: 1, imageSize: [16, 16] },
    random: { init: random, dropout: random },
  });
  using optimizer = sgd([{ parameters: model.parameters() }], { lr: 0.1, momentum: 0.9 });
  using images = ops.randn([8, 1, 16, 16], { generator: random });
  const size = 8 / parts.length;
  const results = parts.map((accumulation, index) => {
    const batch = unscoped(() => ({
      images: scope(() => ops.clone(ops.narrow(images, 0, index * size, size))),
      labels: Tensor.from(
        BigInt64Array.from({ length: size }, (_, i) => BigInt((index * size + i) % 3)),
        [size],
      ),
    }));
    return trainStep(
      model,
      optimizer,
      { ...batch, size, index, rows: new Int32Array(size) },
      { ...plain, ...more, accumulation },
    );
  });
  return {
    losses: results.map(({ loss }) => loss),
    updates: results.map(({ updates }) => updates),
    values: valuesOf(model),
  };
}

function valuesOf(model: Module): Float32Array {
  const parts = model.parameters().map((one) => one.toArray("float32"));
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return values;
}

/** Not by toEqual, which takes its time over five million values. */
const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);

const alone = [{ batches: 1, isLast: true }];
const inFour = Array.from({ length: 4 }, (_, i) => ({ batches: 4, isLast: i === 3 }));

describe("accumulated gradients", () => {
  it("step as one batch of all the images, within rounding", () => {
    const [whole, parts] = [trained(alone), trained(inFour)];
    expect(parts.updates).toEqual([false, false, false, true]);
    const mean = parts.losses.reduce((sum, loss) => sum + loss, 0) / 4;
    expect(mean).toBeCloseTo(whole.losses[0]!, 5);
    expect(largestDifference(parts.values, whole.values)).toBeLessThan(1e-5);
  });

  it("are clipped together", () => {
    const [whole, parts] = [trained(alone, { clipGrad: 0.1 }), trained(inFour, { clipGrad: 0.1 })];
    expect(largestDifference(parts.values, whole.values)).toBeLessThan(1e-6);
  });
});

describe("a scaled loss", () => {
  it("is for CUDA alone: fp16 is refused elsewhere", () => {
    const act = () => chooseCompute({ device: "cpu", precision: "fp16" });
    expect(act).toThrow("--precision fp16: only a CUDA device computes it, and this is cpu");
  });

  it("changes no step that does not overflow", () => {
    const scaler = new GradScaler({ scale: 1024 });
    const [whole, scaled] = [trained(alone), trained(alone, { scaler })];
    // A power of two: not a bit is lost.
    expect(scaled.losses).toEqual(whole.losses);
    expect(largestDifference(scaled.values, whole.values)).toBe(0);
    expect(scaler.state()).toEqual({ scale: 1024, growthTracker: 1 });
    const [four, scaledFour] = [trained(inFour), trained(inFour, { scaler })];
    expect(largestDifference(scaledFour.values, four.values)).toBe(0);
  });

  it("that overflows leaves the step out and falls", () => {
    const scaler = new GradScaler({ scale: 2 ** 127, backoffFactor: 2 ** -20 });
    const untouched = trained([{ batches: 1, isLast: false }]);
    const { values } = trained(alone, { scaler });
    expect(largestDifference(values, untouched.values)).toBe(0);
    expect(scaler.scale).toBe(2 ** 107);
  });

  it("that overflows however small it is has diverged", () => {
    const scaler = new GradScaler({ scale: 2 ** -14 });
    const loss: StepOptions["loss"] = (logits) =>
      // A finite loss whose gradient is infinite.
      ops.sum(ops.sqrt(ops.mulScalar(logits, 0)));
    expect(() => trained(alone, { scaler, loss })).toThrow(DivergedError);
  });
});

const SHAPE = [6, 1, 16, 16];
const LABELS = [0, 1, 2, 2, 0, 1];

const mixedBatch = (mix?: Batch["mix"]): Batch =>
  unscoped(() => ({
    images: Tensor.from(formulaInput(SHAPE), SHAPE),
    labels: Tensor.from(BigInt64Array.from(LABELS, BigInt), [6]),
    ...{ size: 6, index: 0, rows: Int32Array.from(LABELS) },
    ...(mix && { mix }),
  }));

describe("a mixed batch", () => {
  it.each([
    ["", undefined],
    [", whatever the classes' weights", [1, 2, 4]],
  ])("is learnt by both labels, and counted by the larger share%s", (_name, weights) => {
    using random = new Generator(1);
    using model = createModel("simple_cnn", {
      ...{ classes: 3, inChannels: 1, imageSize: [16, 16], dropout: 0 },
      random: { init: random, dropout: random },
    });
    // So that nothing changes from step to step but running statistics, which training does not read.
    using optimizer = sgd([{ parameters: [...model.parameters()] }], { lr: 0 });
    model.train();
    using weight = weights && Tensor.from(Float32Array.from(weights), [3]);
    const own: number[] = [];
    const hits: number[] = [];
    scope(() => {
      using images = Tensor.from(formulaInput(SHAPE), SHAPE);
      const logits = model.forward(images);
      const said = Array.from(ops.argmax(logits, { dim: 1 }).toArray("int64"), Number);
      for (const labels of [LABELS, LABELS.toReversed()]) {
        const targets = Tensor.from(BigInt64Array.from(labels, BigInt), [6]);
        own.push(crossEntropy(logits, targets, { labelSmoothing: 0.1, weight }).item());
        hits.push(labels.filter((label, i) => label === said[i]).length);
      }
    });
    const config = parseConfig({ data: "sample", model: "simple_cnn", smoothing: 0.1 });
    const options = { ...plain, lr: 0, loss: makeLoss(config, weight, undefined) };
    for (const lambda of [1, 0.8, 0.5, 0.3, 0]) {
      const { loss, correct } = trainStep(model, optimizer, mixedBatch({ lambda }), options);
      expect(loss).toBeCloseTo(lambda * own[0]! + (1 - lambda) * own[1]!, 5);
      expect(correct).toBe(lambda < 0.5 ? hits[1] : hits[0]);
    }
    expect(trainStep(model, optimizer, mixedBatch(), options).loss).toBeCloseTo(own[0]!, 6);
  });
});
