/**
 * Thaw's API: what the CLI calls, for programs of one's own.
 *
 * ```ts
 * import { ensureNative, openDataset, parseConfig, train } from "thaw";
 *
 * await ensureNative();
 * const config = parseConfig({ data: "fashion-mnist", model: "simple_cnn", epochs: 1, trainSize: 200 });
 * const data = await openDataset(config);
 * const { run, summary } = await train(config, data);
 * console.log(`${summary.test?.accuracy} on the test set; everything is in ${run.dir}`);
 * ```
 *
 * Tensors are freed by `scope`, `using` or `dispose()`; docs/engine.md says who frees what.
 *
 * @packageDocumentation
 */

// Classical models under the name of their room.
export * as classical from "./classical/index.ts";
// Data.
export {
  type BuiltinDatasetName,
  builtinDatasetNames,
  type DataLocation,
  type DatasetProgress,
  type DatasetSpec,
  locateData,
  openDataset,
  type Source,
} from "./data/datasets/index.ts";
export type { FileImageSet } from "./data/fileset.ts";
export type {
  DatasetSplits,
  FileSplits,
  ImageSet,
  MemorySplits,
  SplitSet,
} from "./data/imageset.ts";
export { examineSurvey, type InfoReport } from "./data/info/report.ts";
export { type Survey, surveySource } from "./data/info/survey.ts";
export { type Batch, Loader, type LoaderOptions } from "./data/loader.ts";
export { type Packed, type PackOptions, packSplits } from "./data/pack/pack.ts";
export {
  type Prepared,
  type PrepareOptions as PrepareDataOptions,
  prepareImages,
} from "./data/prepare/prepare.ts";
// The engine: `ensureNative` first, everything that computes needs it.
export { ExitCode, ThawError, UsageError } from "./errors.ts";
// Training and judging.
export {
  type EvaluateOptions,
  type Explanation,
  type Explanations,
  evaluateClassicalRun,
  evaluateRun,
  evaluateTogether,
  evaluateWeights,
  explainRun,
  type JudgeOptions,
  type Member,
  type TogetherAnswer,
  type TogetherOptions,
  type WeightsAnswer,
  type WeightsQuestion,
} from "./evaluate/index.ts";
export {
  type Answer,
  type ExportMetadata,
  type ExportOptions,
  type ExportReport,
  exportRun,
  type Guess,
  type Int8Report,
  listImages,
  ofSubject,
  openFile,
  openSubject,
  type Parity,
  type PredictOptions,
  type Predictor,
  type PushOptions,
  predictFiles,
  pushFolder,
  readMetadata,
  type Subject,
} from "./export/index.ts";
export {
  type AmxState,
  amxState,
  cacheHome,
  type DoctorReport,
  ensureNative,
  examine,
  type NativeVersion,
  type PrepareOptions,
  thawVersion,
} from "./libtorch/index.ts";
// Networks, optimizers and metrics, each under the name of its room.
export * as metrics from "./metrics/index.ts";
// Models.
export {
  Classifier,
  type ComputeChoice,
  chooseCompute,
  createModel,
  freeze,
  type ModelName,
  type ModelOptions,
  type ModelRandom,
  type ModelSpec,
  modelNames,
  models,
  multiplyAdds,
  type Preprocessing,
  type PublishedWeights,
  parseModelName,
  type Stage,
  stageParameters,
} from "./models/index.ts";
export { type Compute, predictProbabilities } from "./models/predict.ts";
export {
  parseWeightsReference,
  pretrainedReference,
  type ResolvedWeights,
  type ResolveOptions,
  resolveWeights,
  type WeightsProgress,
  type WeightsReference,
} from "./models/weights/hub/index.ts";
export {
  type Adaptation,
  encodeSafetensors,
  type LoadOptions,
  type LoadReport,
  loadWeights,
  readWeights,
  type TensorData,
  type WeightsFile,
} from "./models/weights/index.ts";
export * as nn from "./nn/index.ts";
export * as optim from "./optim/index.ts";
// To stop long work, and to let others run beside it.
export { inTurns, type Steps, type Stop, StoppedError } from "./platform/stop.ts";
// Comparing.
export {
  type RecipeEvents,
  type RecipeOptions,
  type RecipeOutcome,
  runRecipe,
} from "./recipe/index.ts";
export {
  type CompareOptions,
  type Comparison,
  compareRuns,
  drawLrFind,
  drawRun,
  writeCurves,
} from "./report/index.ts";
export {
  type ClassicalConfig,
  type ClassicalModel,
  loadClassicalConfig,
  parseClassicalConfig,
} from "./run/classical-config.ts";
export { type ClassicalModelFile, loadClassical } from "./run/classical-model.ts";
export { type ComparisonRecord, readComparison } from "./run/comparison.ts";
export type { CheckpointName, Tta, Vote } from "./run/evaluation.ts";
// Runs: their config, their record, their models.
export {
  type Environment,
  type EpochLine,
  findRun,
  listRuns,
  loadConfig,
  openRun,
  openWeights,
  parseConfig,
  type Run,
  RunRecord,
  type RunStatus,
  readRun,
  type StepLine,
  type Summary,
  type TestPredictions,
  type TestResult,
  type TimingLine,
  type TrainConfig,
  type TrainConfigInput,
  type Weights,
  type WeightsPlaces,
} from "./run/index.ts";
export type { GivenResizing, ImageShape, NetworkInput } from "./run/input.ts";
export type { JudgedRun } from "./run/judged-run.ts";
export { measureLatency } from "./run/latency.ts";
export { loadBestModel, type ModelFile } from "./run/load-model.ts";
export { type LrFind, lrFindFolder, readLrFind } from "./run/lr-find.ts";
export { loadMatrix, type Matrix } from "./run/matrix.ts";
export type { MatrixMember } from "./run/matrix-member.ts";
export { openRunData, type RunDataOptions } from "./run/run-data.ts";
export type { Histogram, PngImage } from "./run/track/event.ts";
export { sendToMlflow } from "./run/track/send.ts";
export type { Tracker } from "./run/track/tracker.ts";
// Tensors.
export {
  autocast,
  type Device,
  type DType,
  emptyCache,
  Generator,
  getThreads,
  grad,
  hasOperator,
  inference,
  inMemoryFormat,
  limitMemory,
  liveTensors,
  type MemoryFormat,
  manualSeed,
  memory,
  noGrad,
  ops,
  type ProfilerEvent,
  profile,
  resetPeakMemory,
  scope,
  setThreads,
  Tensor,
  TensorScope,
  type TypedArrayOf,
  unscoped,
  version,
} from "./tensor/index.ts";
export {
  type ClassicalOptions,
  checkSanity,
  DivergedError,
  examineModel,
  findLearningRate,
  type LrFindOptions,
  type MatrixOptions,
  type MatrixOutcome,
  OutOfMemoryError,
  type SanityCheck,
  type SanityOptions,
  type SanityReport,
  type SanitySubject,
  type StartInfo,
  type StepProgress,
  type TrainEvents,
  type TrainOptions,
  type TrainResult,
  train,
  trainClassical,
  trainMatrix,
} from "./train/index.ts";
