import { type Average, averagedMetric, type ClassScore, divide } from "./average.ts";

/** Of the images of this class, the share that are found. */
export const recallOf: ClassScore = (hits, _predicted, support) => divide(hits, support);

export const recall = (average: Average) => averagedMetric("recall", recallOf, average);
