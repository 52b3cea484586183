export { type CompareOptions, type Comparison, compareRuns } from "./compare.ts";
export { type CompleteOptions, completePictures } from "./complete-pictures.ts";
export { writeComparisonPlots } from "./draw-comparison.ts";
export { writeExplanations, writeMisclassified } from "./draw-images.ts";
export { drawLrFind } from "./draw-lr-find.ts";
export { describeProfile, writeProfileReport } from "./draw-profile.ts";
export { drawRun, writeCurves } from "./draw-run.ts";
export { findings } from "./findings/findings.ts";
export { trackPictures } from "./track-pictures.ts";
