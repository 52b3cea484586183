import { type Schedule, type WarmUp, warmedUp } from "./schedule.ts";

/** The base rate, after a linear warm-up (transformers' `constant_with_warmup`). */
export function constant(options: WarmUp = {}): Schedule {
  return warmedUp(options, () => 1);
}
