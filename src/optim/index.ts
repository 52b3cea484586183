export { type AdamOptions, adam } from "./adam.ts";
export { adamw } from "./adamw.ts";
export { clipGradNorm } from "./clip.ts";
export {
  GradScaler,
  type GradScalerOptions,
  type GradScalerState,
  unscaleGradients,
} from "./grad-scaler.ts";
export {
  type GroupOptions,
  type Optimizer,
  type OptimizerKind,
  type ParameterGroup,
  setLearningRate,
} from "./optimizer.ts";
export { type GroupingOptions, parameterGroups } from "./parameter-groups.ts";
export * as schedules from "./schedules/index.ts";
export type { Schedule, ScheduleState } from "./schedules/schedule.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
