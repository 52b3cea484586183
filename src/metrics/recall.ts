import {
  type Average,
  averagedMetric,
  type ClassScore,
  divide,
  type ZeroDivision,
} from "./average.ts";

/** Of the images of this class, the share that are found. */
export const recallOf: ClassScore = (hits, _predicted, support, zeroDivision) =>
  divide(hits, support, zeroDivision);

export const recall = (average: Average, zeroDivision?: ZeroDivision) =>
  averagedMetric("recall", recallOf, average, zeroDivision);
