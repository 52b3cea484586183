import { type Falling, falling, type Schedule } from "./schedule.ts";

/** Warm-up, then a straight line down to `minFactor` (transformers' `linear_with_warmup`, whose end is 0). */
export function linear(options: Falling): Schedule {
  return falling(options, (progress) => 1 - progress);
}
