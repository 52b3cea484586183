export { type CompareOptions, type Comparison, compareRuns } from "./compare.ts";
export { drawLrFind } from "./draw-lr-find.ts";
export { writeCurves } from "./draw-run.ts";
export { findings } from "./findings/findings.ts";
