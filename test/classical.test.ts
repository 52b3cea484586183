import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  KNeighborsClassifier,
  LinearSVC,
  LogisticRegression,
  StandardScaler,
} from "../src/classical/index.ts";
import { openDataset } from "../src/data/datasets/index.ts";
import type { ImageSet } from "../src/data/imageset.ts";
import { evaluateClassicalRun, evaluateClassicalWeights } from "../src/evaluate/index.ts";
import { confusionMatrix, f1, predictions } from "../src/metrics/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import { parseClassicalConfig, parseGrid } from "../src/run/classical-config.ts";
import { loadClassical } from "../src/run/classical-model.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { openWeights } from "../src/run/weights.ts";
import { liveTensors, ops, scope, Tensor } from "../src/tensor/index.ts";
import { train, trainClassical } from "../src/train/index.ts";
import { readEvents } from "./support/event-reader.ts";
import { inMemory } from "./support/in-memory.ts";
import { sampleSplits } from "./support/sample-splits.ts";

const out = mkdtempSync(join(tmpdir(), "thaw-classical-"));
afterAll(() => rmSync(out, { recursive: true }));
let before: number;
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => expect(liveTensors()).toBe(before));

interface Judged {
  objective: number;
  accuracy: number;
  macroF1: number;
}
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures/sklearn-classical.json"), "utf8"),
) as {
  fashionMnist: {
    rows: number;
    logistic: Judged;
    svc: Judged;
    scaledLogistic: Judged;
    neighbors: string;
  };
};

const isThere = existsSync("/usr/share/datasets/fashion-mnist");
if (!isThere)
  console.log("classical figures: skipped: no dataset-fashion-mnist (Debian's package)");

describe.skipIf(!isThere)("Fashion-MNIST's first 5,000 rows, against scikit-learn 1.2.1", () => {
  const { rows, ...wanted } = fixture.fashionMnist;
  const pixels = ({ images, channels, height, width }: ImageSet, count: number): Tensor => {
    const size = channels * height * width;
    const bytes = Tensor.borrow(images.subarray(0, count * size), [count, size]);
    return ops.divScalar(ops.toDtype(bytes, "float32"), 255);
  };
  const open = async () =>
    inMemory(await openDataset({ data: "fashion-mnist", seed: 42, valSize: 0 }));

  function check(
    model: LogisticRegression | LinearSVC,
    set: ImageSet,
    features: Tensor,
    goal: Judged,
  ): void {
    const predicted = model.predict(features);
    const certain = new Float32Array(set.count * 10);
    predicted.forEach((label, row) => {
      certain[row * 10 + label] = 1;
    });
    const said = predictions(certain, set.labels, 10);
    const matrix = confusionMatrix(said);
    const hits = Array.from({ length: 10 }, (_, c) => matrix.counts[c * 11]!);
    const accuracy = hits.reduce((sum, n) => sum + n, 0) / set.count;
    expect(model.objective).toBeLessThanOrEqual(goal.objective * (1 + 1e-4));
    expect(Math.abs(accuracy - goal.accuracy)).toBeLessThan(0.003);
    expect(Math.abs(f1("macro").compute(said) - goal.macroF1)).toBeLessThan(0.003);
  }

  test("logistic regression, linear SVM: objective, accuracy, macro-F1", async () => {
    const { train: set, test: judged } = await open();
    scope(() => {
      const x = pixels(set, rows);
      const query = pixels(judged, judged.count);
      const y = set.labels.subarray(0, rows);
      using logistic = new LogisticRegression({ maxIter: 1000 }).fit(x, y);
      check(logistic, judged, query, wanted.logistic);
      // The published accuracies, reference experiment D.
      expect(Math.abs(wanted.logistic.accuracy - 0.8112)).toBeLessThan(0.003);
      expect(Math.abs(wanted.svc.accuracy - 0.7867)).toBeLessThan(0.003);
      using svc = new LinearSVC().fit(x, y);
      check(svc, judged, query, wanted.svc);
    });
  }, 120_000);

  test("logistic regression on features scaled by all 60,000 images", async () => {
    const { train: set, test: judged } = await open();
    scope(() => {
      const scaler = new StandardScaler();
      using _owned = scaler;
      const raw = pixels(set, rows);
      scope(() => scaler.fit(ops.mulScalar(pixels(set, set.count), 255)));
      const scaled = (x: Tensor) => scaler.transform(ops.mulScalar(x, 255));
      using model = new LogisticRegression({ C: 0.1, maxIter: 1000 });
      model.fit(scaled(raw), set.labels.subarray(0, rows));
      check(model, judged, scaled(pixels(judged, judged.count)), wanted.scaledLogistic);
    });
  }, 120_000);

  test("k-NN: the same predictions for 1,000 test images", async () => {
    const { train: set, test: judged } = await open();
    scope(() => {
      using model = new KNeighborsClassifier();
      model.fit(pixels(set, rows), set.labels.subarray(0, rows));
      expect(model.predict(pixels(judged, 1000)).join("")).toBe(wanted.neighbors);
    });
  });
});

describe("a classical run", () => {
  const data = sampleSplits({ train: 60, val: 0, test: 24 });
  const common = { data: "sample", out, threads: 1, precision: "fp32" };

  test.each([
    [{ model: "logreg", scale: "standard", grid: ["C=0.01", "1"], cv: 3 }],
    [{ model: "linear_svc", scale: "minmax" }],
    [{ model: "knn", nNeighbors: 3, vote: "distance", metric: "cosine" }],
  ] as const)("%j: the record of a network's, and its file judges the same", async (asked) => {
    const config = parseClassicalConfig({ ...common, ...asked });
    const { run, summary } = await trainClassical(config, data, { overwrite: true });
    expect(summary.test!.accuracy).toBeGreaterThan(0.6);
    expect(summary.test!.loss === null).toBe(asked.model === "linear_svc");
    expect(run.name).toMatch(new RegExp(`^sample-${asked.model}-pixels`));
    const read = openRun(run.dir);
    expect(read.summary).toEqual(summary);
    expect(read.perClass!.map(({ name }) => name)).toEqual(data.test.classes);
    for (const file of ["predictions.csv", "classification_report.txt", "environment.json"]) {
      expect(existsSync(run.path(file))).toBe(true);
    }
    const compute = chooseCompute({ device: "cpu", precision: "fp32" });
    expect(await evaluateClassicalRun(run.dir, data, compute)).toEqual(summary.test);
    // By its file, on any labelled images: it is whole, and nothing is written.
    const weights = await openWeights(run.dir, { out });
    expect(weights).toMatchObject({ model: asked.model, classes: data.test.classes });
    const before = readdirSync(run.dir).sort();
    const judged = { name: "again", set: data.test };
    const answer = await evaluateClassicalWeights(judged, weights, compute);
    expect(answer.result).toEqual(summary.test);
    expect(readdirSync(run.dir).sort()).toEqual(before);
    const misplaced = evaluateClassicalWeights(judged, weights, compute, { asked: { mean: [1] } });
    await expect(misplaced).rejects.toThrow(/--mean: .* is a classical model/);
    const { pipeline, classes } = loadClassical(run.best);
    pipeline[Symbol.dispose]();
    expect(classes).toEqual(data.train.classes);
  });

  test("on a network's embeddings, by its run", async () => {
    const network = { data: "sample", model: "simple_cnn", epochs: 2, batchSize: 16, threads: 1 };
    const withVal = sampleSplits();
    const parsed = parseConfig({ ...network, out, name: "cnn", precision: "fp32" });
    await train(parsed, withVal);
    const config = parseClassicalConfig({ ...common, model: "logreg", features: "cnn" });
    const { run, summary } = await trainClassical(config, withVal);
    expect(run.name).toBe("sample-logreg-cnn-s42");
    expect(summary.parameters).toBe(3 * 512 + 3);
    const compute = chooseCompute({ device: "cpu", precision: "fp32" });
    expect(await evaluateClassicalRun(run.dir, withVal, compute, { out })).toEqual(summary.test);
    const weights = await openWeights(run.name, { out });
    const elsewhere = { name: "other", set: sampleSplits({ train: 9, val: 0, test: 15 }).test };
    const places = { places: { out } };
    const { result, features } = await evaluateClassicalWeights(
      elsewhere,
      weights,
      compute,
      places,
    );
    expect({ n: result.n, features }).toEqual({ n: 15, features: "cnn" });
    const wider = { ...withVal.train, width: 8, height: 32 };
    const other = { ...withVal, train: wider };
    await expect(trainClassical({ ...config, name: "b" }, other)).rejects.toThrow(
      /it takes images of 1x16x16, and these are 1x32x8/,
    );
  });

  test("what cannot be: told before anything is computed", async () => {
    const wrong = (document: object) => () => parseClassicalConfig({ ...common, ...document });
    expect(wrong({ model: "knn", C: 1 })).toThrow(/C: only for logreg, linear_svc/);
    expect(wrong({ model: "logreg", epochs: 3 })).toThrow(/epochs: unknown key/);
    expect(wrong({ model: "logreg", testFrom: "train" })).toThrow(/testFrom: .* give --test-size/);
    expect(wrong({ model: "logreg", cv: 3 })).toThrow(/cv: goes with a grid/);
    expect(wrong({ model: "logreg", grid: ["c=1"] })).toThrow(/logreg has no parameter "c"/);
    expect(wrong({ model: "knn", grid: ["nNeighbors=0"] })).toThrow(/nNeighbors=0 given; allowed/);
    expect(parseGrid("knn", ["nNeighbors=1", "5", "vote=uniform", "distance"])).toEqual({
      nNeighbors: [1, 5],
      vote: ["uniform", "distance"],
    });
    const config = parseClassicalConfig({ ...common, model: "knn", features: "nothing" });
    await expect(trainClassical(config, data)).rejects.toThrow(/neither pixels nor a run nor/);
    expect(existsSync(join(out, "sample-knn-nothing-s42"))).toBe(false);
  });

  test("a fit that fails is in the record, and whoever follows the run is told", async () => {
    const track = ["tensorboard"];
    const config = parseClassicalConfig({
      ...common,
      model: "knn",
      nNeighbors: 100,
      name: "few",
      track,
    });
    await expect(trainClassical(config, data)).rejects.toThrow(/100 neighbours of 60/);
    const { summary, dir } = openRun("few", out);
    expect(summary).toMatchObject({ status: "failed", test: null });
    expect(summary!.reason).toMatch(/100 neighbours of 60/);
    const events = readdirSync(dir).filter((file) => file.startsWith("events."));
    const told = readEvents(new Uint8Array(readFileSync(join(dir, events[0]!))));
    const tags = told.flatMap(({ values }) => values.map(({ tag }) => tag));
    expect(tags.slice(0, 2)).toEqual(["_hparams_/experiment", "_hparams_/session_start_info"]);
    expect(tags.at(-1)).toBe("_hparams_/session_end_info");
  });

  test("a tracking server that is down costs nothing but a note", async () => {
    process.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9";
    try {
      const config = parseClassicalConfig({
        ...common,
        model: "knn",
        name: "down",
        track: ["mlflow"],
      });
      const notes: string[] = [];
      const { summary } = await trainClassical(config, data, {
        onNote: (text) => notes.push(text),
      });
      expect(summary.status).toBe("finished");
      expect(notes.filter((text) => text.includes("MLflow"))).toHaveLength(1);
    } finally {
      delete process.env["MLFLOW_TRACKING_URI"];
    }
    const none = parseClassicalConfig({ ...common, model: "knn", name: "c", track: ["mlflow"] });
    await expect(trainClassical(none, data)).rejects.toThrow("MLFLOW_TRACKING_URI is not set");
    expect(existsSync(join(out, "c"))).toBe(false);
  });
});
