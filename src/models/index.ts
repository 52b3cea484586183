export { type ComputeChoice, chooseCompute } from "./compute.ts";
export { freeze } from "./frozen.ts";
export { embedInParts } from "./in-parts.ts";
export { multiplyAdds } from "./multiply-adds.ts";
export { createModel, type ModelName, modelNames, models, parseModelName } from "./registry.ts";
export {
  Classifier,
  type ModelOptions,
  type ModelRandom,
  type ModelSpec,
  type Preprocessing,
  type PublishedWeights,
  type Recipe,
  type Stage,
  stageParameters,
} from "./spec.ts";
