export type { WeightsProgress } from "./download-blob.ts";
export { modelOfRepo } from "./published.ts";
export {
  didYouMean,
  formatReference,
  parseWeightsReference,
  pretrainedReference,
  runWeightsFile,
  type WeightsReference,
} from "./reference.ts";
export { type ResolvedWeights, type ResolveOptions, resolveWeights } from "./resolve.ts";
