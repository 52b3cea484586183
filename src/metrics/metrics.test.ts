import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Average,
  accuracy,
  averageOverAll,
  bootstrapMacroF1,
  calibrationBins,
  calibrationError,
  classCounts,
  classificationReport,
  confusionMatrix,
  f1,
  f1Of,
  isBetter,
  isPresent,
  logLoss,
  type Metric,
  macroF1Of,
  type Predictions,
  precision,
  precisionOf,
  predictions,
  recall,
  recallOf,
  rocAuc,
  rocAucs,
  topK,
  wilson95,
} from "./index.ts";

interface Averaged {
  precision: number;
  recall: number;
  f1: number;
}

interface Fixture {
  readonly cases: readonly {
    name: string;
    images: number;
    classes: number;
    used: number;
    strength: number;
    names: string[];
    accuracy: number;
    topK: Record<string, number>;
    /** By scikit-learn's `zero_division`. */
    averages: Record<"0" | "1", Record<Average | "macroPresent", Averaged>>;
    /** Null where scikit-learn refuses. */
    areas: { each: (number | null)[]; macro: number | null; weighted: number | null };
    calibration: {
      bins: number;
      counts: number[];
      accuracy: number[];
      confidence: number[];
      error: number;
    }[];
    reportOnes: string | null;
    logLoss: number;
    confusion: number[][] | null;
    report: string;
  }[];
  readonly eighths: readonly { labels: number[]; predicted: number[]; report: string }[];
  readonly wilson: readonly { hits: number; count: number; lo: number; hi: number }[];
}
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../test/fixtures/metrics.json"), "utf8"),
) as Fixture;

// The formulas of test/oracle/metrics_fixture.py.
const label = (i: number, used: number) => (i * i + Math.floor(i / 3)) % used;
const score = (i: number, c: number) =>
  ((i * 7919 + c * 104729 + (i % 17) * (c + 3) * 31) % 9973) / 9973;

function compute(of: Fixture["cases"][number]): Predictions {
  const { images, classes, used, strength } = of;
  const probabilities = new Float32Array(images * classes);
  const labels = Int32Array.from({ length: images }, (_, i) => label(i, used));
  for (let i = 0; i < images; i++) {
    const powers = Array.from({ length: classes }, (_, c) => {
      const isLast = used < classes && c === classes - 1;
      const logit = isLast ? -30 : 4 * score(i, c) + (c === labels[i] ? strength : 0);
      return 2 ** (Math.floor(logit * 65536) / 65536);
    });
    const total = powers.reduce((sum, p) => sum + p, 0);
    for (let c = 0; c < classes; c++) probabilities[i * classes + c] = powers[c]! / total;
  }
  return predictions(probabilities, labels, classes);
}

function oneHot(labels: number[], predicted: number[], classes: number): Predictions {
  const probabilities = new Float32Array(labels.length * classes);
  predicted.forEach((c, i) => {
    probabilities[i * classes + c] = 1;
  });
  return predictions(probabilities, labels, classes);
}

function expectClose(got: number, wanted: number) {
  expect(Math.abs(got - wanted)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(wanted)));
}

describe.each(fixture.cases)("scikit-learn's numbers: $name", (wanted) => {
  const given = compute(wanted);

  it("accuracy, top-k and log loss", () => {
    expectClose(accuracy.compute(given), wanted.accuracy);
    for (const [k, value] of Object.entries(wanted.topK)) {
      expectClose(topK(Number(k)).compute(given), value);
    }
    expectClose(logLoss.compute(given), wanted.logLoss);
  });

  it.each(["macro", "micro", "weighted"] as const)("%s averages", (average) => {
    for (const zero of [0, 1] as const) {
      // The fixture's `macro` is over all classes, scikit-learn's default over those that occur.
      const key = average === "macro" ? "macroPresent" : average;
      const { precision: p, recall: r, f1: f } = wanted.averages[zero][key];
      expectClose(precision(average, zero).compute(given), p);
      expectClose(recall(average, zero).compute(given), r);
      expectClose(f1(average, zero).compute(given), f);
    }
  });

  it("macro averages over all classes", () => {
    const counts = classCounts(confusionMatrix(given));
    for (const zero of [0, 1] as const) {
      const { precision: p, recall: r, f1: f } = wanted.averages[zero].macro;
      expectClose(averageOverAll(precisionOf, counts, zero), p);
      expectClose(averageOverAll(recallOf, counts, zero), r);
      expectClose(averageOverAll(f1Of, counts, zero), f);
    }
  });

  it("areas under the ROC curves", () => {
    rocAucs(given).forEach((area, c) => {
      const each = wanted.areas.each[c]!;
      if (each === null) expect(area).toBeNaN();
      else expectClose(area, each);
    });
    for (const average of ["macro", "weighted"] as const) {
      const area = rocAuc(average).compute(given);
      const number = wanted.areas[average];
      if (number !== null) expectClose(area, number);
      else if (given.classes > 2) expect(area).toBeNaN();
    }
  });

  it.each(wanted.calibration)("calibration in $bins bins", ({ bins, error, ...diagram }) => {
    const found = calibrationBins(given, bins);
    expect(found.map((bin) => bin.count)).toEqual(diagram.counts);
    const filled = found.filter((bin) => bin.count > 0);
    filled.forEach((bin, i) => {
      expectClose(bin.accuracy!, diagram.accuracy[i]!);
      expectClose(bin.confidence!, diagram.confidence[i]!);
    });
    expect(filled).toHaveLength(diagram.accuracy.length);
    expectClose(calibrationError(bins).compute(given), error);
  });

  it("confusion matrix and report", () => {
    const matrix = confusionMatrix(given);
    if (wanted.confusion !== null) expect([...matrix.counts]).toEqual(wanted.confusion.flat());
    expectReport(classificationReport(matrix, wanted.names), wanted.report, wanted.averages[0], 2);
    if (wanted.reportOnes === null) return;
    const ones = classificationReport(matrix, wanted.names, { digits: 4, zeroDivision: 1 });
    expectReport(ones, wanted.reportOnes, wanted.averages[1], 4);
  });

  /** scikit-learn's text; where classes are absent, its line "macro avg" is one of two that say what they are over. */
  function expectReport(
    got: string,
    report: string,
    averages: Record<Average | "macroPresent", Averaged>,
    digits: number,
  ) {
    const counts = classCounts(confusionMatrix(given));
    const present = wanted.names.filter((_, c) => isPresent(counts, c)).length;
    if (present === wanted.classes) {
      expect(got).toBe(report);
      return;
    }
    const lines = (text: string) =>
      text.split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, " "));
    const numbers = ({ precision: p, recall: r, f1: f }: Averaged) =>
      [...[p, r, f].map((value) => value.toFixed(digits)), wanted.images].join(" ");
    const wantedLines = lines(report).flatMap((line) =>
      line.startsWith("macro avg")
        ? [
            `macro avg, ${present} present ${numbers(averages.macroPresent)}`,
            `macro avg, all ${wanted.classes} ${numbers(averages.macro)}`,
          ]
        : [line],
    );
    expect(lines(got)).toEqual(wantedLines);
    expect(lines(report)).toContain(`macro avg ${numbers(averages.macro)}`);
  }
});

describe("classes that occur in neither labels nor predictions", () => {
  const matrixOf = (labels: number[], predicted: number[], classes: number) =>
    confusionMatrix(oneHot(labels, predicted, classes));

  it("change no macro average and no interval, whatever their place", () => {
    const few = matrixOf([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], 2);
    const among = matrixOf([1, 1, 3, 3, 3], [1, 3, 3, 3, 1], 5);
    expect(macroF1Of(among)).toBe(macroF1Of(few));
    expect(bootstrapMacroF1(among, { seed: 1 })).toEqual(bootstrapMacroF1(few, { seed: 1 }));
  });

  it("are not those that are predicted, or never predicted", () => {
    // f1_score([0, 0, 1], [0, 2, 0], average="macro") is over three classes, each in labels or predictions.
    expectClose(macroF1Of(matrixOf([0, 0, 1], [0, 2, 0], 4)), 1 / 6);
  });

  it("leave one class alone", () => {
    expect(macroF1Of(matrixOf([2, 2], [2, 2], 4))).toBe(1);
    const report = classificationReport(matrixOf([2, 2], [2, 2], 4), ["a", "b", "c", "d"]);
    expect(report).toMatch(/macro avg, 1 present +1\.00/);
    expect(report).toMatch(/macro avg, all 4 +0\.25/);
  });
});

it.each(fixture.eighths)("rounds exact ties as Python does", ({ labels, predicted, report }) => {
  const matrix = confusionMatrix(oneHot(labels, predicted, 2));
  expect(classificationReport(matrix, ["a", "b"])).toBe(report);
});

it.each(fixture.wilson)("Wilson interval of $hits in $count", ({ hits, count, lo, hi }) => {
  const [ourLo, ourHi] = wilson95(hits, count);
  expectClose(ourLo, lo);
  expectClose(ourHi, hi);
  expect(ourLo).toBeGreaterThanOrEqual(0);
  expect(ourHi).toBeLessThanOrEqual(1);
});

describe("bad input", () => {
  it("says which sizes do not agree", () => {
    expect(() => predictions(new Float32Array(5), [0, 1], 3)).toThrow(/want 6 probabilities, 5/);
    expect(() => predictions(new Float32Array(0), [], 3)).toThrow(/at least one image/);
    expect(() => predictions(new Float32Array(6), [0, 3], 3)).toThrow(/label 3 of image 1/);
    expect(() => predictions(new Float32Array(3), [Number.NaN], 3)).toThrow(/label NaN/);
    expect(() => wilson95(3, 2)).toThrow(/3 hits of 2/);
    expect(() => wilson95(0, 0)).toThrow(/0 hits of 0/);
  });

  it("does not count a diverged model's NaN as class 0", () => {
    const nan = new Float32Array(3).fill(Number.NaN);
    expect(() => predictions(nan, [0], 3)).toThrow(/class 0 for image 0 is NaN/);
  });

  it("has no area for a class without images, and none for one class alone", () => {
    const one = predictions(new Float32Array([1, 1]), [0, 0], 1);
    expect([rocAuc().compute(one), f1("macro").compute(one)]).toEqual([Number.NaN, 1]);
    expect(classificationReport(confusionMatrix(one), ["a"])).toContain("accuracy");
  });

  it("wants at least one bin", () => {
    expect(() => calibrationBins(oneHot([0], [0], 2), 0)).toThrow(/0 bins/);
  });

  it("wants a name for every class", () => {
    expect(() => classificationReport(confusionMatrix(oneHot([0], [0], 2)), ["a"])).toThrow(
      /1 class names for a matrix of 2/,
    );
  });
});

describe("which way is better", () => {
  it.each<[Metric, number, number]>([
    [accuracy, 0.9, 0.8],
    [f1("macro"), 0.9, 0.8],
    [logLoss, 0.1, 0.2],
    [calibrationError(), 0.01, 0.1],
    [rocAuc(), 0.9, 0.5],
  ])("$name", (metric, better, worse) => {
    expect(isBetter(metric, better, worse)).toBe(true);
    expect(isBetter(metric, worse, better)).toBe(false);
    expect(isBetter(metric, better, better)).toBe(false);
    expect(isBetter(metric, Number.NaN, worse)).toBe(false);
    expect(isBetter(metric, worse, Number.NaN)).toBe(true);
  });

  it("an equally probable lower class is ahead: top-1 is accuracy", () => {
    const even = predictions(new Float32Array(4).fill(0.25), [1], 4);
    expect([1, 2].map((k) => topK(k).compute(even))).toEqual([0, 1]);
    expect(accuracy.compute(even)).toBe(0);
  });
});
