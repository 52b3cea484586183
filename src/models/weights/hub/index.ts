export type { WeightsProgress } from "./download-blob.ts";
export {
  didYouMean,
  formatReference,
  parseWeightsReference,
  pretrainedReference,
  type WeightsReference,
} from "./reference.ts";
export { type ResolvedWeights, type ResolveOptions, resolveWeights } from "./resolve.ts";
