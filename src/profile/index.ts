export { type ProfileOptions, profileModels } from "./profile.ts";
export type { Images, InputSize, TrainStep } from "./subject.ts";
export { type ProfiledRun, TrainingProfile } from "./training.ts";
export type { WindowPlan } from "./window.ts";
