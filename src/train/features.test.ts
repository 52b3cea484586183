import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { stopAfter } from "../../test/support/stop-after.ts";
import { readSafetensors } from "../models/weights/index.ts";
import { parseConfig } from "../run/config-load.ts";
import { readRun, readTimings } from "../run/read.ts";
import { train } from "./index.ts";

const data = sampleSplits();
let out: string;
let cache: string;

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), "thaw-probe-"));
  cache = join(out, "cache");
  const base = { name: "base", strategy: "scratch", weights: undefined, epochs: 1, lr: 1e-4 };
  await train(config(base), data);
});
afterAll(() => {
  rmSync(out, { recursive: true });
});
expectNoLeaks();

const config = (more: Record<string, unknown>) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 3, batchSize: 16, threads: 1, out },
    ...{ precision: "fp32", opt: "adam", lr: 0.01, dropout: 0, strategy: "freeze" },
    ...{ weights: join(out, "base"), ...more },
  });

/** A run's best model and what it tells about epochs. */
const outcome = (name: string) => ({
  model: readSafetensors(join(out, name, "checkpoints", "best.safetensors")).tensors,
  epochs: readFileSync(join(out, name, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { trainLoss: number; valLoss: number }),
});

const floats = (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer);

function expectSameBits(a: string, b: string): void {
  const [one, other] = [outcome(a), outcome(b)];
  expect(one.epochs).toEqual(other.epochs);
  // Not by toEqual, which takes its time over millions of bytes.
  for (const [name, { bytes }] of one.model) {
    expect(Buffer.compare(bytes, other.model.get(name)!.bytes), name).toBe(0);
  }
}

/** The epochs of two runs, within rounding. */
function expectSameRun(a: string, b: string, digits = 4): void {
  const [one, other] = [outcome(a), outcome(b)];
  expect(one.epochs).toHaveLength(3);
  for (const [i, line] of one.epochs.entries()) {
    expect(line.trainLoss).toBeCloseTo(other.epochs[i]!.trainLoss, digits);
    expect(line.valLoss).toBeCloseTo(other.epochs[i]!.valLoss, digits);
  }
}

describe("a linear probe", () => {
  test("on cached features is the one without a cache, within rounding", async () => {
    const pieces: string[] = [];
    const onFeatures = ({ split }: { split: string }) => void pieces.push(split);
    await train(config({ name: "cached" }), data, { cache, onFeatures });
    await train(config({ name: "uncached", featureCache: false }), data, { cache, onFeatures });
    expect(pieces).toEqual(["train", "val"]);
    expectSameRun("cached", "uncached");
    const [cached, uncached] = [outcome("cached"), outcome("uncached")];
    const base = outcome("base").model;
    for (const [name, { bytes }] of cached.model) {
      const isHead = name.startsWith("fc2.");
      // The backbone is the base's to the bit, batch norms' statistics included.
      expect(Buffer.compare(bytes, base.get(name)!.bytes) === 0, name).toBe(!isHead);
      if (!isHead) continue;
      const other = floats(uncached.model.get(name)!.bytes);
      for (const [i, value] of floats(bytes).entries()) expect(value).toBeCloseTo(other[i]!, 4);
    }
  });

  test("counts the features' time as training, also where they were kept by an earlier run", async () => {
    await train(config({ name: "first" }), data, { cache: join(out, "timed") });
    await train(config({ name: "second" }), data, { cache: join(out, "timed") });
    const beyondSteps = (name: string) => {
      const steps = readTimings(join(out, name)).reduce((sum, timing) => sum + timing.train, 0);
      return readRun(join(out, name)).summary!.seconds.train - steps;
    };
    expect(beyondSteps("first")).toBeGreaterThan(0);
    expect(beyondSteps("second")).toBeCloseTo(beyondSteps("first"), 9);
  });

  test("that is interrupted ends as the uninterrupted one", async () => {
    await train(config({ name: "stopped" }), data, { cache, ...stopAfter(3) });
    await train(config({ name: "stopped" }), data, { cache, resume: true });
    await train(config({ name: "whole" }), data, { cache });
    expectSameBits("stopped", "whole");
  });

  test("sees its augmented views in turn", async () => {
    const augment = { crop: 2, flip: true, rotation: 0 };
    await train(config({ name: "views", views: 2, augment }), data, { cache });
    const files = readdirSync(join(cache, "features"), { recursive: true }).map(String);
    expect(files.filter((file) => /view-2-/.test(file))).toHaveLength(1);
    // Without a number of views, augmentation is new every epoch and nothing is kept.
    await train(config({ name: "augmented", augment }), data, { cache });
    expect(readdirSync(join(cache, "features"), { recursive: true }).map(String)).toEqual(files);
  });
});

describe("the frozen stages of a partly trained network", () => {
  const partial = (more: Record<string, unknown>) =>
    config({ strategy: "partial", lr: 1e-3, opt: "sgd", dropout: 0.2, ...more });

  test("are computed once, within rounding to no effect, and stay as they are", async () => {
    const pieces: string[] = [];
    const onFeatures = ({ split }: { split: string }) => void pieces.push(split);
    const notes: string[] = [];
    const onNote = (text: string) => void notes.push(text);
    await train(partial({ name: "part" }), data, { cache, onFeatures, onNote });
    await train(partial({ name: "part-again" }), data, { cache, onNote });
    await train(partial({ name: "part-uncached", featureCache: false }), data, { onFeatures });
    expect(pieces).toEqual(["train", "val"]);
    expect(notes).toEqual([]);
    expectSameRun("part", "part-uncached");
    expectSameBits("part-again", "part");
    const base = outcome("base").model;
    for (const [name, { bytes }] of outcome("part").model) {
      const trains = /^(conv3|bn3|fc1|fc2)\./.test(name);
      expect(Buffer.compare(bytes, base.get(name)!.bytes) === 0, name).toBe(!trains);
    }
  });

  test("under bf16, with a moving average and accumulated gradients", async () => {
    const more = { precision: "bf16", modelEma: true, modelEmaDecay: 0.5, gradAccumSteps: 2 };
    await train(partial({ name: "part-bf16", ...more }), data, { cache });
    await train(partial({ name: "part-bf16-un", ...more, featureCache: false }), data);
    // Folded norms round elsewhere, and bf16 has three digits.
    expectSameRun("part-bf16", "part-bf16-un", 1);
  });

  test("an interrupted run ends as the uninterrupted one, whatever memory is free then", async () => {
    await train(partial({ name: "part-stopped" }), data, { cache, ...stopAfter(6) });
    await train(partial({ name: "part-stopped" }), data, { cache, resume: true });
    expectSameBits("part-stopped", "part");
  });

  test("that take more than the budget are computed in every epoch, which is said", async () => {
    const notes: string[] = [];
    await train(partial({ name: "part-budget", featureCacheBudget: 0.1 }), data, {
      ...{ cache, onNote: (text) => void notes.push(text) },
    });
    // 84 images of 128 maps of 4 × 4.
    expect(notes).toEqual([expect.stringMatching(/^features before block3 would take 0\.688 MB/)]);
    expectSameBits("part-budget", "part-uncached");
  });

  test("of other weights are computed anew, which is said", async () => {
    const other = { name: "base2", strategy: "scratch", weights: undefined, epochs: 1, seed: 5 };
    await train(config(other), data);
    const notes: string[] = [];
    const weights = join(out, "base2");
    await train(partial({ name: "part-other", weights }), data, {
      ...{ cache, onNote: (text) => void notes.push(text) },
    });
    const said = "the features kept are of other weights: they are computed anew";
    expect(notes).toEqual([said]);
  });

  test("a truncated file of theirs is computed again", async () => {
    const files = readdirSync(join(cache, "features"), { recursive: true }).map(String);
    const notes: string[] = [];
    for (const file of files.filter((name) => name.endsWith(".safetensors"))) {
      const path = join(cache, "features", file);
      writeFileSync(path, readFileSync(path).subarray(0, -9));
    }
    await train(partial({ name: "part-truncated" }), data, {
      ...{ cache, onNote: (text) => void notes.push(text) },
    });
    expect(notes).toEqual([
      expect.stringContaining("computed again"),
      expect.stringContaining("computed again"),
    ]);
    expectSameBits("part-truncated", "part");
  });
});

test.each([
  [{ strategy: "freeze", weights: undefined }, "freeze starts from weights"],
  [{ strategy: "full", views: 2 }, "views: only for strategy freeze"],
  [{ strategy: "partial", unfreeze: 0 }, "unfreeze: 0 given"],
])("refused: %j", (more, message) => {
  expect(() => config(more)).toThrow(message);
});

test("more stages than there are, before anything is written", async () => {
  await expect(
    train(config({ name: "partial", strategy: "partial", unfreeze: 9 }), data),
  ).rejects.toThrow("--unfreeze 9: the model has 4 stages before its head");
  expect(readdirSync(out)).not.toContain("partial");
});
