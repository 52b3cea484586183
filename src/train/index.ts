export { DivergedError } from "./step.ts";
export {
  type StartInfo,
  type StepProgress,
  type TrainEvents,
  type TrainOptions,
  type TrainResult,
  train,
} from "./train.ts";
