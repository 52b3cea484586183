import { list } from "../format.ts";
import type { Finished } from "../test-sets.ts";

/** Points that training may be ahead of validation. */
const GAP = 5;
/** Factor that the validation loss may rise by from its lowest. */
const RISE = 1.25;
/** Of more runs than these the same is said in one sentence. */
const FEW = 3;

/** Overfitting, and runs that were still getting better. */
export function trainingShape(order: readonly Finished[]): string[] {
  const ahead = order.filter((run) => gapOf(run) > GAP);
  const rising = order.filter((run) => gapOf(run) <= GAP && riseOf(run) > RISE);
  const unended = order.filter(({ epochs, summary }) => {
    const last = epochs.at(-1);
    return (
      epochs.length > 1 && summary.best?.epoch === last?.epoch && summary.status === "finished"
    );
  });
  return [
    ...each(
      ahead,
      (run) =>
        `${run.name} ends ${gapOf(run).toFixed(1)} points better on its training images than on validation: it overfits; augmentation, weight decay or fewer epochs may help.`,
      (names) =>
        `${names} end more than ${GAP} points better on their training images than on validation: they overfit; augmentation, weight decay or fewer epochs may help.`,
    ),
    ...each(
      rising,
      ({ name, epochs }) => {
        const lowest = epochs.reduce((a, b) => (b.valLoss < a.valLoss ? b : a));
        return `${name} overfits: its validation loss rose from ${lowest.valLoss.toFixed(3)} (epoch ${lowest.epoch}) to ${epochs.at(-1)!.valLoss.toFixed(3)}.`;
      },
      (names) => `${names} overfit: their validation loss rose by more than a quarter at the end.`,
    ),
    ...each(
      unended,
      ({ name }) => `${name} had its best epoch last: more epochs may help.`,
      (names) => `${names} had their best epoch last: more epochs may help.`,
    ),
  ];
}

function each(
  runs: readonly Finished[],
  one: (run: Finished) => string,
  many: (names: string) => string,
): string[] {
  return runs.length > FEW ? [many(list(runs.map(({ name }) => name)))] : runs.map(one);
}

function gapOf({ epochs }: Finished): number {
  const last = epochs.at(-1);
  return last === undefined ? 0 : 100 * (last.trainAccuracy - last.valAccuracy);
}

function riseOf({ epochs }: Finished): number {
  const last = epochs.at(-1);
  if (last === undefined) return 1;
  const lowest = Math.min(...epochs.map(({ valLoss }) => valLoss));
  return lowest > 0 ? last.valLoss / lowest : 1;
}
