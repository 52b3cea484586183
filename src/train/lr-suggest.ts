import { ThawError } from "../errors.ts";

/** A point of a range test: the rate of a step and the smoothed loss before it. */
export interface RangePoint {
  readonly lr: number;
  readonly smooth: number;
}

/**
 * fastai's average of losses: exponential with β = 0.98, divided by 1 - βⁿ so that the first values are no nearer to 0.
 * (`AvgSmoothLoss`)
 */
export class SmoothLoss {
  readonly #beta: number;
  #value = 0;
  #count = 0;

  constructor(beta = 0.98) {
    this.#beta = beta;
  }

  /** Takes a loss in and gives the average. */
  add(loss: number): number {
    this.#count++;
    this.#value = loss + this.#beta * (this.#value - loss);
    return this.#value / (1 - this.#beta ** this.#count);
  }
}

/** The rate of step `i` (from 0) of a range test: exponential, so that every decade gets as many steps. */
export function rangeRate(
  i: number,
  { from, to, steps }: { readonly from: number; readonly to: number; readonly steps: number },
): number {
  return from * (to / from) ** (i / steps);
}

/** Points at both ends that fastai leaves out before it looks: the first tenth of the steps, and the last five points. */
export function trimmed<P extends RangePoint>(points: readonly P[], steps: number): P[] {
  return points.slice(Math.floor(steps / 10), -5);
}

/**
 * The rate two thirds down the longest valley, where the loss falls fast and safely: fastai's own suggestion. The valley
 * is the longest chain of falling losses as fastai's `valley` counts it, quirks included, so that both say the same.
 */
export function valley(points: readonly RangePoint[]): number {
  const losses = points.map(({ smooth }) => smooth);
  const n = losses.length;
  const lengths = new Array<number>(n).fill(1);
  let start = 0;
  let end = 0;
  for (let i = 1; i < n; i++) {
    for (let j = 0; j < i; j++) {
      if (losses[i]! < losses[j]! && lengths[i]! < lengths[j]! + 1) lengths[i] = lengths[j]! + 1;
      if (lengths[end]! < lengths[i]!) {
        end = i;
        // Set when the end moves; a chain that grows longer at the same end does not move it again.
        start = end - lengths[end]!;
      }
    }
  }
  const sections = (end - start) / 3;
  const index = start + Math.floor(sections) + Math.floor(sections / 2);
  return atLeastOne(points).at(index)!.lr;
}

/** The rate at which the loss falls fastest over the logarithm of the rate (fastai's `steep`). */
export function steepest(points: readonly RangePoint[]): number {
  let best = 0;
  let slope = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 1 < points.length; i++) {
    const [a, b] = [points[i]!, points[i + 1]!];
    const here = (b.smooth - a.smooth) / (Math.log(b.lr) - Math.log(a.lr));
    if (here < slope) [best, slope] = [i, here];
  }
  return atLeastOne(points)[best]!.lr;
}

function atLeastOne(points: readonly RangePoint[]): readonly RangePoint[] {
  if (points.length > 0) return points;
  throw new ThawError("the loss left its course within a few steps: there is no rate to suggest", {
    hint: "see what is wrong with model or data first: thaw sanity",
  });
}
