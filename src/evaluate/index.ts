export { folderBeside } from "./beside.ts";
export { combine } from "./combine.ts";
export { type EvaluateOptions, evaluateRun } from "./evaluate.ts";
export { evaluateClassicalRun } from "./evaluate-classical.ts";
export { evaluateClassicalWeights } from "./evaluate-classical-weights.ts";
export {
  evaluateWeights,
  firstOf,
  type WeightsAnswer,
  type WeightsQuestion,
} from "./evaluate-weights.ts";
export { type Explanation, type Explanations, explainRun } from "./explain/explain.ts";
export type { JudgeOptions } from "./judge.ts";
export {
  evaluateTogether,
  isEvaluation,
  knownTogether,
  type Member,
  type TogetherAnswer,
  type TogetherOptions,
} from "./together.ts";
