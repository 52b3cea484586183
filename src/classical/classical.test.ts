import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { liveTensors, ops, scope, Tensor } from "../tensor/index.ts";
import {
  type ClassifierEstimator,
  crossValScore,
  GridSearchCV,
  KNeighborsClassifier,
  LinearSVC,
  LogisticRegression,
  MinMaxScaler,
  PCA,
  Pipeline,
  StandardScaler,
  StratifiedKFold,
} from "./index.ts";

interface Linear {
  coef: number[][];
  intercept: number[];
  objective: number;
  predicted: number[];
}
interface Small {
  rows: number;
  features: number;
  classes: number;
  logistic: Record<string, Linear>;
  svc: Record<string, Linear>;
  neighbors: {
    weights: "uniform" | "distance";
    metric: "euclidean" | "cosine";
    predicted: number[];
    indices: number[];
    distances: number[];
    proba: number[];
  }[];
  standard: { mean: number[]; scale: number[]; transformed: number[] };
  minmax: { scale: number[]; min: number[]; transformed: number[] };
  pca: {
    nComponents: number | null;
    whiten: boolean;
    components: number[][];
    explainedVariance: number[];
    explainedVarianceRatio: number[];
    singularValues: number[];
    transformed: number[];
  }[];
  folds: { labels: number[]; splits: number; fold: number[] }[];
  grid: { scores: number[][]; mean: number[]; std: number[]; rank: number[]; best: number };
  crossValScore: number[];
}
const fixturePath = join(import.meta.dirname, "../../test/fixtures/sklearn-classical.json");
const { small } = JSON.parse(readFileSync(fixturePath, "utf8")) as { small: Small };
const { rows, features, classes } = small;

// The formula of test/oracle/sklearn_classical.py.
const labels = Int32Array.from({ length: rows }, (_, i) => (i * i + Math.floor(i / 3)) % classes);
const values = Float64Array.from({ length: rows * features }, (_, at) => {
  const [i, j] = [Math.floor(at / features), at % features];
  const base = ((i * 7919 + j * 104729 + (i % 17) * (j + 3) * 31) % 9973) / 9973;
  return base + (j % classes === labels[i] ? 0.4 : 0);
});
const binaryLabels = labels.map((label) => (label === 2 ? 7 : 4));
const matrix = (array: Float64Array = values, width = features): Tensor =>
  Tensor.from(array, [array.length / width, width]);

let before: number;
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => expect(liveTensors()).toBe(before));

function expectClose(got: ArrayLike<number>, wanted: readonly number[], tolerance = 1e-6): void {
  expect(got.length).toBe(wanted.length);
  const worst = Math.max(
    ...wanted.map((value, i) => Math.abs(got[i]! - value) / Math.max(1, Math.abs(value))),
  );
  expect(worst).toBeLessThanOrEqual(tolerance);
}
const flat = (tensor: Tensor): Float64Array => tensor.toArray("float64");

type Case = [string, Linear, LogisticRegression | LinearSVC];
const exact = { tol: 1e-8, maxIter: 1000 };
const { logistic, svc } = small;
const linear: Case[] = [
  ["multinomial", logistic["multinomial"]!, new LogisticRegression({ ...exact, C: 2 })],
  [
    "multinomial without intercept",
    logistic["without intercept"]!,
    new LogisticRegression({ ...exact, fitIntercept: false }),
  ],
  ["binary", logistic["binary"]!, new LogisticRegression(exact)],
  ["one against the rest", svc["three classes"]!, new LinearSVC({ ...exact, C: 0.5 })],
  ["scaled intercept", svc["scaled intercept"]!, new LinearSVC({ ...exact, interceptScaling: 10 })],
  [
    "without intercept",
    svc["without intercept"]!,
    new LinearSVC({ ...exact, fitIntercept: false }),
  ],
  ["binary SVM", svc["binary"]!, new LinearSVC(exact)],
];

describe.each(linear)("scikit-learn's %s", (name, wanted, given) => {
  it("solution and predictions", () => {
    using x = matrix();
    using model = given;
    model.fit(x, name.startsWith("binary") ? binaryLabels : labels);
    expectClose(flat(model.coef), wanted.coef.flat(), 2e-4);
    expectClose(flat(model.intercept), wanted.intercept, 2e-4);
    expect(model.objective).toBeLessThanOrEqual(wanted.objective * (1 + 1e-8));
    expect([...model.predict(x)]).toEqual(wanted.predicted);
  });
});

test("float32 features come to the same minimum", () => {
  scope(() => {
    const x = ops.toDtype(matrix(), "float32");
    using model = new LogisticRegression({ ...exact, C: 2 }).fit(x, labels);
    expect(model.objective / logistic["multinomial"]!.objective - 1).toBeLessThan(1e-6);
  });
});

test("probabilities are the softmax of the scores, and both halves of two classes", () => {
  scope(() => {
    const x = matrix();
    using three = new LogisticRegression().fit(x, labels);
    const p = flat(three.predictProba(x));
    const z = flat(three.decisionFunction(x));
    const powers = [0, 1, 2].map((c) => Math.exp(z[c]!));
    expectClose(
      p.slice(0, 3),
      powers.map((e) => e / (powers[0]! + powers[1]! + powers[2]!)),
    );
    using two = new LogisticRegression().fit(x, binaryLabels);
    const [first, second] = flat(two.predictProba(x));
    expect(first! + second!).toBeCloseTo(1, 12);
    expect(second).toBeCloseTo(1 / (1 + Math.exp(-flat(two.decisionFunction(x))[0]!)), 12);
  });
});

describe.each(small.neighbors)("k-NN, $weights weights, $metric", (wanted) => {
  it("finds scikit-learn's neighbours and votes as it does", () => {
    scope(() => {
      const { weights, metric } = wanted;
      const x = matrix();
      using model = new KNeighborsClassifier({ nNeighbors: 4, weights, metric });
      model.fit(ops.narrow(x, 0, 0, 60), labels.subarray(0, 60));
      const query = ops.narrow(x, 0, 60, rows - 60);
      const { distances, indices } = model.kneighbors(query);
      expect([...indices]).toEqual(wanted.indices);
      expectClose(distances, wanted.distances, 1e-7);
      expect([...model.predict(query)]).toEqual(wanted.predicted);
      expectClose(flat(model.predictProba(query)), wanted.proba, 1e-7);
    });
  });
});

test("a neighbour at distance 0 decides alone, and equal votes go to the smallest label", () => {
  using x = matrix(Float64Array.of(0, 1, 2, 3), 1);
  using near = new KNeighborsClassifier({ nNeighbors: 3, weights: "distance" });
  expect([...near.fit(x, [5, 2, 2, 2]).predict(x)]).toEqual([5, 2, 2, 2]);
  using even = new KNeighborsClassifier({ nNeighbors: 4 }).fit(x, [9, 9, 3, 3]);
  expect([...even.predict(x)]).toEqual([3, 3, 3, 3]);
});

const constant = values.map((value, at) => (at % features === 2 ? 0.1 : value));

test("StandardScaler, with a constant feature", () => {
  scope(() => {
    const x = matrix(constant);
    using scaler = new StandardScaler().fit(x);
    expectClose(flat(scaler.mean), small.standard.mean, 1e-12);
    expectClose(flat(scaler.scale), small.standard.scale, 1e-12);
    expectClose(flat(scaler.transform(x)).slice(0, 18), small.standard.transformed, 1e-10);
  });
});

test("MinMaxScaler, with a constant feature", () => {
  scope(() => {
    const x = matrix(constant);
    using scaler = new MinMaxScaler({ featureRange: [-1, 1] }).fit(x);
    expectClose(flat(scaler.scale), small.minmax.scale, 1e-12);
    expectClose(flat(scaler.min), small.minmax.min, 1e-12);
    expectClose(flat(scaler.transform(x)).slice(0, 18), small.minmax.transformed, 1e-12);
  });
});

test.each(small.pca)("PCA of $nComponents components, whiten $whiten", (wanted) => {
  scope(() => {
    const x = matrix();
    const { nComponents, whiten } = wanted;
    using pca = new PCA({ nComponents, whiten }).fit(x);
    expectClose(flat(pca.components), wanted.components.flat(), 1e-10);
    expectClose(flat(pca.explainedVariance), wanted.explainedVariance, 1e-12);
    expectClose(flat(pca.explainedVarianceRatio), wanted.explainedVarianceRatio, 1e-12);
    expectClose(flat(pca.singularValues), wanted.singularValues, 1e-12);
    const got = flat(pca.transform(x)).slice(0, wanted.transformed.length);
    expectClose(got, wanted.transformed, 1e-10);
  });
});

test.each(small.folds)("$splits folds are scikit-learn's", ({ labels: y, splits, fold }) => {
  const folds = new StratifiedKFold({ nSplits: splits, onWarning: () => {} }).split(y);
  const got = new Array<number>(y.length).fill(-1);
  folds.forEach(({ test: rows, train }, k) => {
    expect(train.length + rows.length).toBe(y.length);
    for (const row of rows) got[row] = k;
  });
  expect(got).toEqual(fold);
});

test("shuffled folds hold as many of each class, other rows, and the same for a seed", () => {
  const split = (seed: number) =>
    new StratifiedKFold({ nSplits: 3, shuffle: true, seed }).split(labels);
  expect(split(1)).toEqual(split(1));
  expect(split(1)).not.toEqual(split(2));
  for (const { test: rows } of split(1)) {
    for (const c of [0, 1, 2]) {
      const all = labels.filter((label) => label === c).length;
      const here = rows.filter((row) => labels[row] === c).length;
      expect(Math.abs(here - all / 3)).toBeLessThan(1);
    }
  }
});

const scaled = (model: ClassifierEstimator): Pipeline =>
  new Pipeline({ transformers: [["scale", new StandardScaler()]], classifier: ["model", model] });

test("GridSearchCV over a pipeline: scikit-learn's scores, ranks and best", () => {
  using x = matrix();
  const estimator = scaled(new LogisticRegression(exact));
  const paramGrid = { model__C: [0.001, 0.1, 10] };
  using search = new GridSearchCV(estimator, { paramGrid, cv: 3, scoring: "f1_macro" });
  search.fit(x, labels);
  const { scores, mean, std, rank, best } = small.grid;
  search.cvResults.forEach((result, i) => {
    expectClose(
      result.splitTestScores,
      scores.map((fold) => fold[i]!),
      1e-12,
    );
    expect(result.meanTestScore).toBeCloseTo(mean[i]!, 12);
    expect(result.stdTestScore).toBeCloseTo(std[i]!, 12);
    expect(result.rankTestScore).toBe(rank[i]);
  });
  expect(search.bestParams).toEqual({ model__C: best });
  // Warm starts change the way, not the end.
  using alone = estimator.clone({ model__C: best }).fit(x, labels);
  expect(search.predict(x)).toEqual(alone.predict(x));
});

test("crossValScore", () => {
  using x = matrix();
  using model = new LinearSVC(exact);
  expectClose(crossValScore(model, x, labels, { cv: 4 }), small.crossValScore, 1e-12);
});

test("what is saved predicts the same", () => {
  scope(() => {
    const x = matrix();
    using logistic = new LogisticRegression().fit(x, labels);
    using again = LogisticRegression.from(logistic.state());
    expect(again.predict(x)).toEqual(logistic.predict(x));
    using neighbors = new KNeighborsClassifier({ metric: "cosine" }).fit(x, labels);
    using restored = KNeighborsClassifier.from(neighbors.state());
    expect(flat(restored.predictProba(x))).toEqual(flat(neighbors.predictProba(x)));
    using pca = new PCA({ nComponents: 2, whiten: true }).fit(x);
    using projected = PCA.from(pca.state());
    expect(flat(projected.transform(x))).toEqual(flat(pca.transform(x)));
  });
});

describe("bad input", () => {
  const models: [string, () => ClassifierEstimator][] = [
    ["LogisticRegression", () => new LogisticRegression()],
    ["LinearSVC", () => new LinearSVC()],
    ["KNeighborsClassifier", () => new KNeighborsClassifier()],
  ];
  it.each(models)("%s: NaN and infinity are named by row and column", (_, make) => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      using x = matrix(values.with(features * 7 + 2, bad));
      expect(() => make().fit(x, labels)).toThrow(`feature 2 of row 7 is ${bad}`);
    }
  });
  it.each(models)("%s: other features than it was fitted on, or none", (_, make) => {
    using x = matrix();
    using wider = matrix(values, features * 2);
    using model = make();
    expect(() => model.predict(x)).toThrow(/is not fitted yet/);
    model.fit(x, labels);
    expect(() => model.predict(wider)).toThrow(/12 features a row, and it was fitted on 6/);
    expect(() => model.fit(x, [1, 2])).toThrow(/2 labels for 90 rows/);
  });
  it.each(models.slice(0, 2))("%s: one class only", (_, make) => {
    using x = matrix();
    expect(() =>
      make().fit(
        x,
        labels.map(() => 4),
      ),
    ).toThrow(/every label is 4/);
  });
  it("constant features are no obstacle", () => {
    using x = matrix(values.map((value, at) => (at % features > 3 ? 0 : value)));
    using model = new LogisticRegression(exact).fit(x, labels);
    expect(Math.max(...flat(model.coef).filter((_, at) => at % features > 3))).toBe(0);
  });
  it("more folds than rows of a class", () => {
    const notes: string[] = [];
    const onWarning = (text: string) => notes.push(text);
    new StratifiedKFold({ nSplits: 3, onWarning }).split([0, 0, 0, 0, 1, 1]);
    expect(notes).toEqual([expect.stringMatching(/class 1 has 2 rows, fewer than the 3 folds/)]);
    const many = new StratifiedKFold({ nSplits: 5 });
    expect(() => many.split([0, 0, 0, 1, 1])).toThrow(/5 folds, and no class has as many rows/);
    expect(() => new StratifiedKFold({ nSplits: 1 })).toThrow(/2 or more/);
  });
  it("a grid over a parameter that is not there, or without values, or an unknown scoring", () => {
    const search = (paramGrid: Record<string, unknown[]>) => () =>
      new GridSearchCV(scaled(new LogisticRegression()), { paramGrid });
    expect(search({ model__c: [1] })).toThrow(/LogisticRegression has no parameter "c"/);
    expect(search({ modl__C: [1] })).toThrow(/Pipeline has no parameter "modl__C"/);
    expect(search({ model__C: [] })).toThrow(/no value for model__C/);
    expect(search({ model__C: [0] })).toThrow(/C is 0, and is to be above 0/);
    const many = Array.from({ length: 200 }, (_, i) => i + 1);
    const product = { model__C: many, model__maxIter: many, model__tol: many };
    expect(search(product)).toThrow(/8,000,000 combinations; at most 10,000/);
    using x = matrix();
    const scoring = "f1_marco" as "f1_macro";
    const model = new LogisticRegression();
    expect(() => crossValScore(model, x, labels, { scoring })).toThrow(/no scoring "f1_marco"/);
  });
  it("more neighbours than training rows", () => {
    using x = matrix();
    const model = new KNeighborsClassifier({ nNeighbors: 91 });
    expect(() => model.fit(x, labels)).toThrow(/91 neighbours of 90 training rows/);
    expect(() => new KNeighborsClassifier({ nNeighbors: 0 })).toThrow(/1 or more/);
  });
  it("not converged: a warning with the gradient", () => {
    using x = matrix();
    const notes: string[] = [];
    const onWarning = (text: string) => notes.push(text);
    using model = new LogisticRegression({ C: 100, maxIter: 2, onWarning }).fit(x, labels);
    expect(model.nIter).toBe(2);
    expect(notes).toEqual([
      expect.stringMatching(/did not converge in 2 iterations: the gradient's largest entry is \d/),
    ]);
  });
  it("more components than the data has", () => {
    using x = matrix();
    expect(() => new PCA({ nComponents: 7 }).fit(x)).toThrow(
      /nComponents is 7, and the data has 6/,
    );
  });
});
