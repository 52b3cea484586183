import { ThawError } from "../../errors.ts";
import { checked } from "../checked.ts";
import type { Schedule, ScheduleState } from "./schedule.ts";

export interface PlateauOptions {
  /** Is the metric a loss (`min`) or a score (`max`)? */
  readonly mode: "min" | "max";
  /** What a fall multiplies the rate by, above 0 and below 1; 0.1. */
  readonly factor?: number;
  /** Epochs without progress that are put up with; the next one is a fall. 10. */
  readonly patience?: number;
  /** Progress is to be better than the best by this share of it; 1e-4. */
  readonly threshold?: number;
  /** Epochs after a fall in which nothing counts as without progress; 0. */
  readonly cooldown?: number;
  /** 0. */
  readonly minFactor?: number;
  /** A fall by no more than this share of the base rate is not done; 1e-8. torch's `eps` over the base rate. */
  readonly smallestFall?: number;
}

/**
 * torch's `ReduceLROnPlateau` with a relative threshold. A metric that is not finite is no progress.
 */
export function plateau(options: PlateauOptions): Schedule {
  const { mode, patience = 10, cooldown = 0 } = options;
  const factor = checked("the factor of a fall", options.factor ?? 0.1, { above: 0, below: 1 });
  const threshold = checked("the threshold", options.threshold ?? 1e-4, { atLeast: 0 });
  const minFactor = checked("the lowest factor", options.minFactor ?? 0, { atLeast: 0, atMost: 1 });
  const smallestFall = checked("the smallest fall", options.smallestFall ?? 1e-8, { atLeast: 0 });
  checked("the patience", patience, { atLeast: 0 });
  checked("the cooldown", cooldown, { atLeast: 0 });

  let current = 1;
  let best: number | null = null;
  let badEpochs = 0;
  let cooling = 0;

  const isBetter = (metric: number): boolean => {
    if (!Number.isFinite(metric)) return false;
    if (best === null) return true;
    return mode === "min" ? metric < best * (1 - threshold) : metric > best * (1 + threshold);
  };

  return {
    at: () => current,
    observe(metric) {
      if (isBetter(metric)) {
        best = metric;
        badEpochs = 0;
      } else {
        badEpochs++;
      }
      if (cooling > 0) {
        cooling--;
        badEpochs = 0;
      }
      if (badEpochs > patience) {
        const lower = Math.max(current * factor, minFactor);
        if (current - lower > smallestFall) current = lower;
        cooling = cooldown;
        badEpochs = 0;
      }
    },
    state: () => ({ current, best, badEpochs, cooling }),
    load(state) {
      const wanted = (key: string) => numberOf(state, key);
      const loaded = [wanted("current"), wanted("badEpochs"), wanted("cooling")] as const;
      best = state["best"] === null ? null : wanted("best");
      [current, badEpochs, cooling] = loaded;
    },
  };
}

function numberOf(state: ScheduleState, key: string): number {
  const value = state[key];
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new ThawError(`the saved state of the plateau schedule has no ${key}`, {
      hint: "it was saved with another schedule",
    });
  }
  return value;
}
