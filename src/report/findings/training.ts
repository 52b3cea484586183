import type { Finished } from "../test-sets.ts";

/** Overfitting, and runs that were still getting better. */
export function trainingShape(order: readonly Finished[]): string[] {
  return order.flatMap(({ name, epochs, summary }) => {
    const last = epochs.at(-1);
    if (last === undefined) return [];
    const gap = 100 * (last.trainAccuracy - last.valAccuracy);
    const notes: string[] = [];
    if (gap > 5) {
      notes.push(
        `${name} ends ${gap.toFixed(1)} points better on its training images than on validation: it overfits; augmentation, weight decay or fewer epochs may help.`,
      );
    }
    const lowest = epochs.reduce((a, b) => (b.valLoss < a.valLoss ? b : a));
    if (gap <= 5 && lowest.epoch < last.epoch && last.valLoss > 1.25 * lowest.valLoss) {
      notes.push(
        `${name} overfits: its validation loss rose from ${lowest.valLoss.toFixed(3)} (epoch ${lowest.epoch}) to ${last.valLoss.toFixed(3)}.`,
      );
    }
    if (epochs.length > 1 && summary.best?.epoch === last.epoch && summary.status === "finished") {
      notes.push(`${name} had its best epoch last: more epochs may help.`);
    }
    return notes;
  });
}
