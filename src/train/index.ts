export { type ClassicalOptions, trainClassical } from "./classical.ts";
export type {
  StartInfo,
  StepPhase,
  StepProgress,
  StepWatch,
  TrainEvents,
  TrainOptions,
  TrainResult,
} from "./events.ts";
export { findLearningRate, type LrFindOptions } from "./lr-find.ts";
export { lastKept, type MatrixOptions, type MatrixOutcome, trainMatrix } from "./matrix.ts";
export { OutOfMemoryError } from "./out-of-memory.ts";
export { examineModel, type SanitySubject } from "./sanity/examine.ts";
export type { SanityCheck, SanityReport } from "./sanity/report.ts";
export { checkSanity, type SanityOptions } from "./sanity/sanity.ts";
export { openStartWeights } from "./start-weights.ts";
export { DivergedError, type StepOptions, trainStep } from "./step.ts";
export { train } from "./train.ts";
