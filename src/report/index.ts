export { type CompareOptions, type Comparison, compareRuns } from "./compare.ts";
export { writeCurves } from "./draw-run.ts";
export { findings } from "./findings/findings.ts";
