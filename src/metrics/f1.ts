import { type Average, averagedMetric, type ClassScore, divide } from "./average.ts";
import { precisionOf } from "./precision.ts";
import { recallOf } from "./recall.ts";

/** Harmonic mean of precision and recall. */
export const f1Of: ClassScore = (hits, predicted, support) => {
  const p = precisionOf(hits, predicted, support);
  const r = recallOf(hits, predicted, support);
  return divide(2 * p * r, p + r);
};

export const f1 = (average: Average) => averagedMetric("F1", f1Of, average);
