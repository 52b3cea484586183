export { constant } from "./constant.ts";
export { cosine } from "./cosine.ts";
export { linear } from "./linear.ts";
export { type OneCycleOptions, onecycle } from "./onecycle.ts";
export { type PlateauOptions, plateau } from "./plateau.ts";
export type { Falling, Schedule, ScheduleState, WarmUp } from "./schedule.ts";
export { type StepOptions, step } from "./step.ts";
