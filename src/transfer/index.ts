export { type CachedFeatures, cachedFeatures, type FeatureCacheOptions } from "./feature-cache.ts";
export { FeatureHead } from "./feature-head.ts";
export { FeatureLoader, type FeatureLoaderOptions } from "./feature-loader.ts";
export { beforeStage, FrozenStart, StageTail } from "./stage-tail.ts";
export {
  freezeStages,
  type RateOptions,
  type Transfer,
  trainedStages,
  transferGroups,
} from "./stages.ts";
