export { cachedFeatures, type FeatureCacheOptions, type FeatureSource } from "./feature-cache.ts";
export { FeatureLoader, type FeatureLoaderOptions } from "./feature-loader.ts";
export {
  freezeStages,
  type RateOptions,
  type Transfer,
  trainedStages,
  transferGroups,
} from "./stages.ts";
