import { count, list, percent, percentRange, points, pValue } from "../format.ts";
import type { Pair } from "../paired.ts";
import { type SeedGroup, seedDifference } from "../seeds.ts";
import type { Finished } from "../test-sets.ts";

/** Who is first, and whether chance explains it: by tests on the same images, else by intervals. */
export function winner(order: readonly Finished[], pairs: readonly Pair[]): string[] {
  const [best, second] = order;
  if (best === undefined) return [];
  const { accuracy, accuracy95, n } = best.summary.test;
  const numbers = `${percent(accuracy)} (95 % interval ${percentRange(accuracy95)}, ${count(n)} images).`;
  if (second === undefined) return [`${best.name} reached a test accuracy of ${numbers}`];
  const first = `${best.name} has the highest test accuracy: ${numbers}`;
  if (accuracy === second.summary.test.accuracy) {
    return [
      `${best.name} and ${second.name} have the same test accuracy: ${percent(accuracy)}.`,
      ...significance(best, pairs),
    ];
  }
  return [first, ...(pairs.length > 0 ? significance(best, pairs) : intervals(order))];
}

function significance(best: Finished, pairs: readonly Pair[]): string[] {
  const notes: string[] = [];
  const [next] = pairs;
  if (next?.isSignificant) notes.push(`The lead is ${lead(next)}: more than chance explains.`);
  const unclear = pairs.filter((pair) => !pair.isSignificant);
  if (unclear.length > 0) {
    const [closest] = unclear;
    const names = list(unclear.map(({ other }) => other.name));
    notes.push(
      `${best.name} is not significantly better than ${names}: ${lead(closest!)}. With ${count(best.summary.test.n)} test images this is no clear win; more test images or more seeds would tell.`,
    );
  }
  const clear = pairs.filter((pair) => pair !== next && pair.isSignificant);
  if (clear.length > 0) {
    const names = list(clear.map(({ other }) => other.name));
    notes.push(
      `${best.name} is significantly better than ${names} (McNemar, p < 0.05 after Holm’s correction for ${pairs.length} tests).`,
    );
  }
  return notes;
}

function lead({ best, other, mcnemar, p, accuracy }: Pair): string {
  const difference = best.summary.test.accuracy - other.summary.test.accuracy;
  const interval =
    accuracy === undefined
      ? ""
      : ` (95 % interval ${points(accuracy.interval95[0])} to ${points(accuracy.interval95[1])})`;
  return `${points(difference)} points over ${other.name}${interval}, McNemar ${pValue(p)}: ${count(mcnemar.onlyFirst)} images only ${best.name} gets right, ${count(mcnemar.onlySecond)} only ${other.name}`;
}

function intervals(order: readonly Finished[]): string[] {
  const [best, second] = order as readonly [Finished, Finished];
  const { accuracy, accuracy95, n } = best.summary.test;
  const overlapping = order
    .slice(1)
    .filter(({ summary }) => summary.test.accuracy95[1] >= accuracy95[0]);
  if (overlapping.length === 0) {
    const gap = (100 * (accuracy - second.summary.test.accuracy)).toFixed(2);
    return [
      `Its interval lies above all others: the ${gap} points before ${second.name} are more than chance explains.`,
    ];
  }
  const names = list(overlapping.map((run) => run.name));
  return [
    `Its interval overlaps with that of ${names}: with ${count(n)} test images this is no clear win. More test images or more seeds would tell.`,
  ];
}

/** What several seeds say: one run's place may be luck. */
export function overSeeds(groups: readonly SeedGroup[]): string[] {
  const several = groups.filter(({ runs }) => runs.length > 1);
  const [best, second] = several;
  if (best === undefined) return [];
  const { n, mean, interval95 } = best.accuracy;
  const notes = [
    `Over ${n} seeds ${best.name} reaches ${percent(mean)} on average (95 % t interval ${(100 * interval95![0]).toFixed(2)} to ${(100 * interval95![1]).toFixed(2)} %).`,
  ];
  const difference = second && seedDifference(best, second);
  if (difference !== undefined) {
    const [lo, hi] = difference.interval95!;
    const isClear = lo > 0;
    const verdict = isClear
      ? "more than the seeds explain"
      : "no more than other seeds could turn round";
    notes.push(
      `That is ${points(difference.mean)} points over ${second!.name}, seed by seed (95 % t interval ${points(lo)} to ${points(hi)}, ${difference.n} seeds): ${verdict}.`,
    );
  }
  return notes;
}
