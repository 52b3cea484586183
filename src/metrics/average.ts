import { type ClassCounts, classCounts, confusionMatrix } from "./confusion-matrix.ts";
import type { Metric } from "./metric.ts";

/**
 * `macro`: mean over the classes that occur in the labels or the predictions, as scikit-learn's default `labels=None`.
 * `weighted`: mean by number of images. `micro`: from the counts of all classes together.
 */
export type Average = "macro" | "micro" | "weighted";

/**
 * What a score is where it would divide by zero: the precision of a class that is never predicted, the recall of one
 * without images. scikit-learn's `zero_division`.
 */
export type ZeroDivision = 0 | 1;

/** A score of one class from its hits, predictions and images. */
export type ClassScore = (
  hits: number,
  predicted: number,
  support: number,
  zeroDivision?: ZeroDivision,
) => number;

/** The score of every class. */
export function perClass(
  score: ClassScore,
  { hits, predicted, support }: ClassCounts,
  zeroDivision: ZeroDivision = 0,
): number[] {
  return hits.map((h, c) => score(h, predicted[c]!, support[c]!, zeroDivision));
}

export function averageScore(
  score: ClassScore,
  counts: ClassCounts,
  average: Average,
  zeroDivision: ZeroDivision = 0,
): number {
  const { hits, predicted, support } = counts;
  if (average === "micro") {
    return score(pairwiseSum(hits), pairwiseSum(predicted), pairwiseSum(support), zeroDivision);
  }
  const scores = perClass(score, counts, zeroDivision);
  if (average === "macro") {
    const present = scores.filter((_, c) => isPresent(counts, c));
    return pairwiseSum(present) / present.length;
  }
  return divide(pairwiseSum(scores.map((s, c) => s * support[c]!)), pairwiseSum(support));
}

/** Does a class occur in the labels or the predictions? One that does not has no score, only `zeroDivision`. */
export function isPresent({ predicted, support }: ClassCounts, c: number): boolean {
  return support[c]! + predicted[c]! > 0;
}

/** The mean over all classes, with `zeroDivision` for those that do not occur: scikit-learn's `labels=range(C)`. */
export function averageOverAll(
  score: ClassScore,
  counts: ClassCounts,
  zeroDivision: ZeroDivision = 0,
): number {
  const scores = perClass(score, counts, zeroDivision);
  return pairwiseSum(scores) / scores.length;
}

export function averagedMetric(
  name: string,
  score: ClassScore,
  average: Average,
  zeroDivision: ZeroDivision = 0,
): Metric {
  return {
    name: `${average} ${name}`,
    higherIsBetter: true,
    compute: (predictions) =>
      averageScore(score, classCounts(confusionMatrix(predictions)), average, zeroDivision),
  };
}

export function divide(a: number, b: number, zeroDivision: ZeroDivision = 0): number {
  return b === 0 ? zeroDivision : a / b;
}

/**
 * NumPy's order of summation (eight running sums up to 128 values, halves above): the last bit of an average decides
 * how 0.125 is printed, and reports are to equal scikit-learn's byte for byte.
 */
export function pairwiseSum(values: readonly number[]): number {
  const n = values.length;
  if (n < 8) return values.reduce((sum, v) => sum + v, 0);
  if (n > 128) {
    const half = Math.floor(n / 2) - (Math.floor(n / 2) % 8);
    return pairwiseSum(values.slice(0, half)) + pairwiseSum(values.slice(half));
  }
  const r = values.slice(0, 8);
  let i = 8;
  for (; i < n - (n % 8); i += 8) for (let j = 0; j < 8; j++) r[j]! += values[i + j]!;
  let sum = r[0]! + r[1]! + (r[2]! + r[3]!) + (r[4]! + r[5]! + (r[6]! + r[7]!));
  for (; i < n; i++) sum += values[i]!;
  return sum;
}
