import {
  type Average,
  averagedMetric,
  averageScore,
  type ClassScore,
  divide,
  type ZeroDivision,
} from "./average.ts";
import { type ConfusionMatrix, classCounts } from "./confusion-matrix.ts";
import { precisionOf } from "./precision.ts";
import { recallOf } from "./recall.ts";

/** Harmonic mean of precision and recall; 0 where both are 0. */
export const f1Of: ClassScore = (hits, predicted, support, zeroDivision) => {
  const p = precisionOf(hits, predicted, support, zeroDivision);
  const r = recallOf(hits, predicted, support, zeroDivision);
  return divide(2 * p * r, p + r);
};

export const f1 = (average: Average, zeroDivision?: ZeroDivision) =>
  averagedMetric("F1", f1Of, average, zeroDivision);

/** Over the classes that occur in labels or predictions. */
export const macroF1Of = (matrix: ConfusionMatrix) =>
  averageScore(f1Of, classCounts(matrix), "macro");
