import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { readSafetensors } from "../models/weights/index.ts";
import { parseConfig } from "../run/config-load.ts";
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

describe("a linear probe", () => {
  test("on cached features is the one without a cache, within rounding", async () => {
    const pieces: string[] = [];
    const onFeatures = ({ split }: { split: string }) => void pieces.push(split);
    await train(config({ name: "cached" }), data, { cache, onFeatures });
    await train(config({ name: "uncached", featureCache: false }), data, { cache, onFeatures });
    expect(pieces).toEqual(["train", "val"]);
    const [cached, uncached] = [outcome("cached"), outcome("uncached")];
    expect(cached.epochs.length).toBe(3);
    for (const [i, line] of cached.epochs.entries()) {
      expect(line.trainLoss).toBeCloseTo(uncached.epochs[i]!.trainLoss, 4);
      expect(line.valLoss).toBeCloseTo(uncached.epochs[i]!.valLoss, 4);
    }
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

  test("that is interrupted ends as the uninterrupted one", async () => {
    let steps = 0;
    const stopRequested = () => (++steps === 3 ? "interrupted" : undefined);
    await train(config({ name: "stopped" }), data, { cache, stopRequested });
    await train(config({ name: "stopped" }), data, { cache, resume: true });
    await train(config({ name: "whole" }), data, { cache });
    const [stopped, whole] = [outcome("stopped"), outcome("whole")];
    expect(stopped.epochs).toEqual(whole.epochs);
    for (const [name, { bytes }] of stopped.model) {
      expect(Buffer.compare(bytes, whole.model.get(name)!.bytes), name).toBe(0);
    }
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
