import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KNeighborsClassifier, LogisticRegression } from "../src/classical/index.ts";
import { type BatchSource, discardBatch, Loader } from "../src/data/loader.ts";
import { evaluateRun, evaluateTogether, explainRun } from "../src/evaluate/index.ts";
import { exportRun } from "../src/export/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import { inTurns, StoppedError } from "../src/platform/stop.ts";
import { loadClassicalConfig } from "../src/run/classical-config.ts";
import type { TrainConfigInput } from "../src/run/config.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { liveTensors, Tensor } from "../src/tensor/index.ts";
import { checkSanity, findLearningRate, train, trainClassical } from "../src/train/index.ts";
import { FeatureLoader } from "../src/transfer/index.ts";
import { expectNoLeaks } from "./support/no-leaks.ts";
import { sampleSplits } from "./support/sample-splits.ts";

const data = sampleSplits();
const folder = mkdtempSync(join(tmpdir(), "thaw-stops-"));
const out = join(folder, "runs");
const cache = join(folder, "cache");
afterAll(() => rmSync(folder, { recursive: true }));
expectNoLeaks();

const config = (more: Partial<TrainConfigInput> = {}) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 1, batchSize: 16, threads: 1 },
    ...{ precision: "fp32", out, name: "whole", ...more },
  });
const compute = () => chooseCompute(config());
const preempted = () => AbortSignal.abort(new StoppedError("preempted"));
const isStopped = { stop: "preempted", exitCode: 75 };

describe("between the steps of a loop over batches the event loop turns", () => {
  const features = () =>
    new FeatureLoader(Tensor.from(new Float32Array(64 * 4), [64, 4]), new Uint8Array(64), {
      ...{ batchSize: 4, seed: 0 },
    });
  const images = () => {
    const { mean, std } = { mean: [0.5], std: [0.5] };
    return new Loader(data.train, {
      ...{ mean, std, memoryFormat: "contiguous", batchSize: 4, seed: 0 },
    });
  };
  test.each([
    ["of images that are there before they are asked for", images],
    ["of features in memory", features],
  ] as const)("%s", async (_name, open: () => BatchSource) => {
    await using source = open();
    let turns = 0;
    let steps = 0;
    const counter = setInterval(() => turns++, 1);
    for await (const batch of source.epoch(1)) {
      discardBatch(batch);
      const end = performance.now() + 5;
      while (performance.now() < end);
      steps++;
    }
    clearInterval(counter);
    expect(steps).toBe(source.batches);
    expect(turns).toBeGreaterThanOrEqual(steps - 2);
  });
});

describe("a run's model", () => {
  beforeAll(async () => {
    await train(config(), data, { cache });
  });
  const dir = join(out, "whole");

  test.each([
    ["evaluated", () => evaluateRun(dir, data, compute(), { cache, signal: preempted() })],
    [
      "evaluated on several views",
      () => {
        const members = [{ dir, data, compute: compute() }];
        return evaluateTogether(members, { out, cache, tta: "ten-crop", signal: preempted() });
      },
    ],
    ["explained", () => explainRun(dir, data, { perClass: 1, signal: preempted() })],
    ["exported", () => exportRun(dir, data, { cache, signal: preempted() })],
  ] as const)("that is %s: it stops, and everything is as it was", async (_name, work) => {
    const before = readFileSync(join(dir, "summary.json"), "utf8");
    await expect(work()).rejects.toMatchObject(isStopped);
    expect(readFileSync(join(dir, "summary.json"), "utf8")).toBe(before);
    expect(readdirSync(out)).toEqual(["whole"]);
    expect(readdirSync(dir).filter((name) => name.includes("export"))).toEqual([]);
  });

  test("whose features are extracted for another: it has a checkpoint and goes on", async () => {
    const controller = new AbortController();
    const probe = config({ name: "probe", strategy: "freeze", weights: dir });
    const onWeights = () => controller.abort();
    const options = { cache, signal: controller.signal, onWeights };
    const { summary } = await train(probe, data, options);
    expect(summary).toMatchObject({ status: "interrupted", epochs: 0 });
    expect(readdirSync(join(out, "probe", "checkpoints"))).toEqual(["step-000000000.safetensors"]);
    expect(existsSync(join(cache, "features"))).toBe(true);
    const resumed = await train(probe, data, { cache, resume: true });
    expect(resumed.summary.status).toBe("finished");
  });
});

test("the search for a learning rate stops after the step under way, and keeps nothing", async () => {
  const controller = new AbortController();
  let steps = 0;
  const search = findLearningRate(config({ name: "rate" }), data, {
    signal: controller.signal,
    onStep: () => {
      if (++steps === 3) controller.abort();
    },
  });
  await expect(search).rejects.toMatchObject({ stop: "interrupted", exitCode: 130 });
  expect(steps).toBe(3);
});

test("sanity stops before its next step", async () => {
  const controller = new AbortController();
  let steps = 0;
  const check = checkSanity(config({ name: "sane" }), data, {
    signal: controller.signal,
    onStep: () => {
      if (++steps === 2) controller.abort(new StoppedError("preempted"));
    },
  });
  await expect(check).rejects.toMatchObject(isStopped);
  expect(steps).toBe(2);
});

describe("a classical model", () => {
  const rows = 200;
  const x = () =>
    Tensor.from(
      Float32Array.from({ length: rows * 8 }, (_, i) => Math.sin(i * i)),
      [rows, 8],
    );
  const y = Int32Array.from({ length: rows }, (_, i) => i % 3);

  test("is fitted in pieces to the same bits, while others make tensors of their own", async () => {
    using features = x();
    using whole = new LogisticRegression().fit(features, y);
    using pieces = new LogisticRegression();
    const steps = pieces.fitSteps(features, y);
    const own: Tensor[] = [];
    let count = 0;
    while (!steps.next().done) {
      count++;
      own.push(Tensor.from(new Float32Array(1), [1]));
    }
    expect(count).toBe(whole.nIter);
    for (const tensor of own) tensor.dispose();
    expect(pieces.coef.toArray("float64")).toEqual(whole.coef.toArray("float64"));
    expect(pieces.nIter).toBe(whole.nIter);
  });

  test.each(["a fit", "a prediction"] as const)(
    "leaves nothing of %s that is stopped",
    async (what) => {
      using features = x();
      using model = what === "a fit" ? new LogisticRegression() : new KNeighborsClassifier();
      if (what !== "a fit") model.fit(features, y);
      const before = liveTensors();
      const steps = what === "a fit" ? model.fitSteps(features, y) : model.predictSteps(features);
      for (let i = 0; i < 3; i++) expect(steps.next().done).toBe(false);
      expect(liveTensors()).toBeGreaterThan(before);
      await expect(inTurns<unknown>(steps, preempted())).rejects.toMatchObject(isStopped);
      expect(liveTensors()).toBe(before);
    },
  );

  test("that is stopped says so in its record", async () => {
    const settings = { data: "sample", model: "knn", features: "pixels", out, name: "near" };
    const controller = new AbortController();
    const { summary } = await trainClassical(
      loadClassicalConfig(undefined, { ...settings, grid: ["nNeighbors=1,3,5"], cv: 3 }),
      data,
      { signal: controller.signal, onFit: () => controller.abort() },
    );
    expect(summary).toMatchObject({ status: "interrupted", test: null });
    expect(openRun("near", out).summary).toEqual(summary);
  });
});
