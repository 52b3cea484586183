export type { WeightsProgress } from "./download-blob.ts";
export { publishedWeights } from "./published.ts";
export {
  didYouMean,
  formatReference,
  parseWeightsReference,
  pretrainedReference,
  type WeightsReference,
} from "./reference.ts";
export { type ResolvedWeights, type ResolveOptions, resolveWeights } from "./resolve.ts";
