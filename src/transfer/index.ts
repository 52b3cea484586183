export {
  freezeStages,
  type RateOptions,
  type Transfer,
  trainedStages,
  transferGroups,
} from "./stages.ts";
