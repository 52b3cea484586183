import { checked } from "../checked.ts";

/** What a schedule remembers, to be saved as JSON: nothing, where the rate depends on time alone. */
export type ScheduleState = Readonly<Record<string, number | null>>;

/**
 * How the learning rate goes: a factor of the base rate over time.
 *
 * Time counts from 0 in steps or in epochs, whichever the schedule's options were given in, and
 * fractions of an epoch are allowed. A trainer calls `setLearningRate(optimizer, lr * schedule.at(time))`
 * before each step and `observe` after each epoch, whatever the schedule; of steps, `at(n)` is the
 * rate of the step before which n were done.
 */
export interface Schedule {
  /** The factor in force at `time`; after the schedule's end it stays what it was there. */
  at(time: number): number;
  /** The metric of an epoch that ended. Only the plateau schedule listens. */
  observe(metric: number): void;
  state(): ScheduleState;
  /** @throws ThawError where the state is not one of this schedule's. */
  load(state: ScheduleState): void;
}

/** A schedule that is a function of time. */
export function timed(at: (time: number) => number): Schedule {
  return { at, observe: () => {}, state: () => ({}), load: () => {} };
}

export interface WarmUp {
  /** Time over which the factor rises linearly from `warmupFactor`, before the schedule proper; 0. */
  readonly warmup?: number;
  /** Factor at time 0, if there is a warm-up; 0. */
  readonly warmupFactor?: number;
}

/** `after(time since the warm-up's end)`, preceded by the warm-up. @throws ThawError for a bad warm-up. */
export function warmedUp(options: WarmUp, after: (time: number) => number): Schedule {
  const warmup = checked("the warm-up", options.warmup ?? 0, { atLeast: 0 });
  const from = checked("the warm-up's factor", options.warmupFactor ?? 0, {
    atLeast: 0,
    atMost: 1,
  });
  return timed((time) =>
    time < warmup ? from + ((1 - from) * time) / warmup : after(time - warmup),
  );
}

/** A whole schedule's length and its lowest factor, for those that fall until an end. */
export interface Falling extends WarmUp {
  /** Warm-up included; above it. */
  readonly total: number;
  /** Factor from the end on; 0. */
  readonly minFactor?: number;
}

/** What `warmedUp` makes of a shape, 1 at progress 0 and 0 at 1. @throws ThawError for bad options. */
export function falling(options: Falling, shape: (progress: number) => number): Schedule {
  const { warmup = 0, minFactor = 0 } = options;
  checked("the schedule's length", options.total, { above: warmup });
  checked("the lowest factor", minFactor, { atLeast: 0, atMost: 1 });
  const length = options.total - warmup;
  return warmedUp(
    options,
    (time) => minFactor + (1 - minFactor) * shape(Math.min(1, time / length)),
  );
}
