import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { ThawError } from "../errors.ts";
import type { TrainConfig, TrainConfigInput } from "../run/config.ts";
import { parseConfig } from "../run/config-load.ts";
import { type LrFind, lrFindFolder, lrFindSchema, lrWarning, readLrFind } from "../run/lr-find.ts";
import { findLearningRate } from "./lr-find.ts";
import { train } from "./train.ts";

expectNoLeaks();

const data = sampleSplits();
let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-lr-find-"));
});
afterEach(() => rmSync(out, { recursive: true }));

const configOf = (more: Partial<TrainConfigInput> = {}): TrainConfig =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 1, batchSize: 16, lr: 0.001 },
    ...{ precision: "fp32", threads: 1, out, name: "a", sched: "constant" },
    ...more,
  });

test("the loss falls, then leaves its course; the suggestion lies between, and is kept", async () => {
  const config = configOf();
  const { found, dir } = await findLearningRate(config, data);
  const rates = found.points.map(({ lr }) => lr);
  expect(rates[0]).toBe(1e-7);
  expect(rates[50]! / rates[0]!).toBeCloseTo(1e4, 4);
  expect(found.stopped).toMatch(/^the loss is 4 times its lowest at/);
  expect(found.suggestion).toEqual({ lr: found.valley, by: "valley" });
  expect(found.valley).toBeGreaterThan(1e-5);
  expect(found.valley).toBeLessThan(rates.at(-1)! / 10);
  expect(lrFindSchema.parse(JSON.parse(readFileSync(join(dir, "lr-find.json"), "utf8")))).toEqual(
    found,
  );
  expect(readdirSync(out)).toEqual(["lr-find"]);
});

test("the same seed gives the same course", async () => {
  const range = { from: 1e-5, to: 1e-2, steps: 20 };
  const { found } = await findLearningRate(configOf(), data, { range });
  expect((await findLearningRate(configOf(), data, { range })).found).toEqual(found);
});

test("a frozen backbone: the range test trains the head on cached features", async () => {
  await train(configOf({ name: "source" }), data);
  const cache = join(out, "cache");
  const config = configOf({ weights: join(out, "source"), strategy: "freeze", name: "b" });
  const { found } = await findLearningRate(config, data, {
    cache,
    range: { from: 1e-6, to: 1, steps: 30 },
  });
  expect(existsSync(join(cache, "features"))).toBe(true);
  expect(found.points[0]!.lr).toBe(1e-6);
  expect(found.subject).toMatchObject({ strategy: "freeze", weights: join(out, "source") });
});

test("a model whose loss is no number from the start has no rate", async () => {
  const range = { from: 1e30, to: 1e31, steps: 100 };
  await expect(findLearningRate(configOf({ opt: "sgd" }), data, { range })).rejects.toThrow(
    ThawError,
  );
  expect(readdirSync(out)).toEqual([]);
});

/** As a range test that suggested `lr` would have left it. */
function pretend(config: TrainConfig, lr: number): void {
  const found: LrFind = {
    subject: {
      data: "sample",
      model: "simple_cnn",
      strategy: "scratch",
      opt: "adam",
      batchSize: 16,
    },
    ...{ seed: 42, range: { from: 1e-7, to: 10, steps: 100 }, points: [] },
    ...{ suggestion: { lr, by: "valley" }, valley: lr, steepest: lr },
  };
  const dir = lrFindFolder(config);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "lr-find.json"), JSON.stringify(found));
}

test("training at ten times the suggestion and less is no matter; above it a warning names both", async () => {
  pretend(configOf(), 1e-4);
  expect(lrWarning(configOf({ lr: 1e-3 }))).toBeUndefined();
  const notes: string[] = [];
  await train(configOf({ lr: 2e-3 }), data, { onNote: (text) => notes.push(text) });
  expect(notes[0]).toBe(
    `warning: --lr 0.002 is 20 times what thaw lr-find suggested for this (0.00010, ${lrFindFolder(configOf())})`,
  );
});

test.each([
  ["model", { model: "resnet20_cifar" }],
  ["batch size", { batchSize: 32 }],
  ["optimizer", { opt: "sgd" }],
  ["data", { data: "other" }],
  ["classes", { classes: ["coat", "bag"] }],
] as [string, Partial<TrainConfigInput>][])(
  "a result for another %s says nothing",
  (_what, more) => {
    pretend(configOf(), 1e-9);
    expect(lrWarning(configOf())).toContain("warning");
    expect(lrWarning(configOf({ ...more, lr: 1 }))).toBeUndefined();
  },
);

test("a damaged result is passed over", () => {
  pretend(configOf(), 1e-9);
  writeFileSync(join(lrFindFolder(configOf()), "lr-find.json"), "{");
  expect(readLrFind(configOf())).toBeUndefined();
});
