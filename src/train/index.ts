export { type ClassicalOptions, trainClassical } from "./classical.ts";
export type { StartInfo, StepProgress, TrainEvents, TrainOptions, TrainResult } from "./events.ts";
export { type MatrixOptions, type MatrixOutcome, trainMatrix } from "./matrix.ts";
export { openStartWeights } from "./start-weights.ts";
export { DivergedError } from "./step.ts";
export { train } from "./train.ts";
