import {
  type Average,
  averagedMetric,
  type ClassScore,
  divide,
  type ZeroDivision,
} from "./average.ts";

/** Of the images called this class, the share that are. */
export const precisionOf: ClassScore = (hits, predicted, _support, zeroDivision) =>
  divide(hits, predicted, zeroDivision);

export const precision = (average: Average, zeroDivision?: ZeroDivision) =>
  averagedMetric("precision", precisionOf, average, zeroDivision);
