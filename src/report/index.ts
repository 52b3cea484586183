export { type CompareOptions, type Comparison, compareRuns } from "./compare.ts";
export { writeComparisonPlots } from "./draw-comparison.ts";
export { writeExplanations, writeMisclassified } from "./draw-images.ts";
export { writeCurves } from "./draw-run.ts";
export { findings } from "./findings.ts";
export { trackPictures } from "./track-pictures.ts";
