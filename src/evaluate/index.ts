export { evaluateRun } from "./evaluate.ts";
export { evaluateWeights, type WeightsAnswer, type WeightsQuestion } from "./evaluate-weights.ts";
