import { checked } from "../checked.ts";
import { type Schedule, timed } from "./schedule.ts";

export interface OneCycleOptions {
  /** Steps of the whole cycle: the last, `total - 1`, has the lowest rate. */
  readonly total: number;
  /** Share of the cycle that rises; 0.3. */
  readonly rising?: number;
  /** The first rate is the base rate divided by this; 25. */
  readonly divFactor?: number;
  /** The last rate is the first divided by this; 1e4. */
  readonly finalDivFactor?: number;
}

/**
 * torch's `OneCycleLR` (Smith & Topin 2017) with cosine annealing, the base rate being its `max_lr`.
 * The momentum is not cycled. Counts steps: in epochs its last would not be its lowest.
 */
export function onecycle(options: OneCycleOptions): Schedule {
  const total = checked("the cycle's length", options.total, { above: 1 });
  const rising = checked("the cycle's rising share", options.rising ?? 0.3, { above: 0, below: 1 });
  const first = 1 / checked("the first divisor", options.divFactor ?? 25, { atLeast: 1 });
  const last = first / checked("the last divisor", options.finalDivFactor ?? 1e4, { atLeast: 1 });
  // In a very short cycle the peak lies before its first step, below 0; as in torch.
  const peak = rising * total - 1;
  const end = total - 1;
  return timed((time) => {
    if (time < peak) return between(first, 1, time / peak);
    return between(1, last, (Math.min(time, end) - peak) / (end - peak));
  });
}

/** Half a cosine from `start` to `end`. */
function between(start: number, end: number, progress: number): number {
  return end + ((start - end) / 2) * (1 + Math.cos(Math.PI * progress));
}
