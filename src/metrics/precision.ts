import { type Average, averagedMetric, type ClassScore, divide } from "./average.ts";

/** Of the images called this class, the share that are. */
export const precisionOf: ClassScore = (hits, predicted) => divide(hits, predicted);

export const precision = (average: Average) => averagedMetric("precision", precisionOf, average);
