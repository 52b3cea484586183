import { checked } from "../checked.ts";
import { type Schedule, type WarmUp, warmedUp } from "./schedule.ts";

export interface StepOptions extends WarmUp {
  /** Time between two falls, counted from the warm-up's end. */
  readonly every: number;
  /** What each fall multiplies the rate by, above 0 and at most 1; 0.1. */
  readonly factor?: number;
}

/** torch's `StepLR`: factor^⌊time / every⌋. */
export function step(options: StepOptions): Schedule {
  const every = checked("the time between two falls", options.every, { above: 0 });
  const factor = checked("the factor of a fall", options.factor ?? 0.1, { above: 0, atMost: 1 });
  return warmedUp(options, (time) => factor ** Math.floor(time / every));
}
