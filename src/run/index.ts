export {
  type Checkpoint,
  type CheckpointInfo,
  type Fingerprint,
  fingerprintDifferences,
  type Json,
  loadCheckpoint,
  loadModel,
  newestVerified,
  type Rejected,
  saveCheckpoint,
  saveModel,
} from "./checkpoint.ts";
export { configDigest, type TrainConfig, type TrainConfigInput } from "./config.ts";
export { type ConfigFlag, configFlags, overridesFromFlags } from "./config-flags.ts";
export { loadConfig, parseConfig } from "./config-load.ts";
export { describeEnvironment, type Environment, thawVersion } from "./environment.ts";
export { openRun, type Run, readRun } from "./read.ts";
export {
  createRun,
  defaultRunName,
  findRun,
  listRuns,
  RunRecord,
  resumeRun,
} from "./record.ts";
export type { TestPredictions, TestResult } from "./results.ts";
export { withRunLock } from "./run-lock.ts";
export type { EpochLine, RunStatus, StepLine, Summary, TimingLine } from "./summary.ts";
export { openWeights, type Weights, type WeightsPlaces } from "./weights.ts";
