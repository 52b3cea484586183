import type { Run } from "../run/read.ts";
import type { Summary } from "../run/summary.ts";
import { count, duration, percent, percentRange, times } from "./format.ts";

/** A run whose test set was predicted: what can be ranked. */
export interface Finished extends Run {
  readonly summary: Summary & { readonly test: NonNullable<Summary["test"]> };
}

export function isFinished(run: Run): run is Finished {
  return run.summary !== undefined && run.summary.test !== null;
}

/** Best test accuracy first; equal ones by macro-F1, then by name. */
export function ranked(runs: readonly Run[]): Finished[] {
  return runs
    .filter(isFinished)
    .sort(
      (a, b) =>
        b.summary.test.accuracy - a.summary.test.accuracy ||
        b.summary.test.macroF1 - a.summary.test.macroF1 ||
        (a.name < b.name ? -1 : 1),
    );
}

/** What the numbers say, in plain sentences, most important first. Every number is computed from the records. */
export function findings(runs: readonly Run[]): string[] {
  const order = ranked(runs);
  return [
    ...comparability(order),
    ...winner(order),
    ...costs(order),
    ...confusions(order),
    ...trainingShape(order),
    ...unfinished(runs),
  ];
}

/** What makes a ranking of these runs unfair or void. */
function comparability(order: readonly Finished[]): string[] {
  const [first, ...rest] = order;
  if (first === undefined) return [];
  const differs = (of: (run: Finished) => unknown) =>
    rest.some((run) => JSON.stringify(of(run)) !== JSON.stringify(of(first)));
  const notes: string[] = [];
  if (differs((run) => [run.summary.dataset, run.summary.classes, run.summary.test.n])) {
    notes.push(
      "Careful: these runs were not tested on the same images (dataset, classes or number of test images differ), so their accuracies cannot be set beside each other.",
    );
  } else if (differs((run) => run.environment["dataset"])) {
    notes.push(
      "Careful: the content of the dataset differs between these runs (its fingerprint is not the same).",
    );
  }
  if (differs((run) => [run.environment["cpu"], run.environment["threads"], run.summary.device])) {
    notes.push("Times were measured on different machines or thread counts and do not compare.");
  }
  return notes;
}

function winner(order: readonly Finished[]): string[] {
  const [best, second] = order;
  if (best === undefined) return [];
  const { accuracy, accuracy95, n } = best.summary.test;
  const numbers = `${percent(accuracy)} (95 % interval ${percentRange(accuracy95)}, ${count(n)} images).`;
  if (second === undefined) return [`${best.name} reached a test accuracy of ${numbers}`];
  const first = `${best.name} has the highest test accuracy: ${numbers}`;
  const other = second.summary.test;
  const points = (100 * (accuracy - other.accuracy)).toFixed(2);
  if (accuracy === other.accuracy) {
    return [`${best.name} and ${second.name} have the same test accuracy: ${percent(accuracy)}.`];
  }
  const overlapping = order
    .slice(1)
    .filter(({ summary }) => summary.test.accuracy95[1] >= accuracy95[0]);
  if (overlapping.length === 0) {
    return [
      first,
      `Its interval lies above all others: the ${points} points before ${second.name} are more than chance explains.`,
    ];
  }
  const names = list(overlapping.map((run) => run.name));
  return [
    first,
    `Its interval overlaps with that of ${names}: with ${count(n)} test images this is no clear win. More test images or more seeds would tell.`,
  ];
}

/** What the best run costs against the others, in time and size. */
function costs(order: readonly Finished[]): string[] {
  const [best, ...rest] = order;
  if (best === undefined || rest.length === 0) return [];
  const notes: string[] = [];
  const seconds = (run: Finished) => run.summary.seconds.train;
  const fastest = order.reduce((a, b) => (seconds(b) < seconds(a) ? b : a));
  const gap = (run: Finished) =>
    `${(100 * (best.summary.test.accuracy - run.summary.test.accuracy)).toFixed(2)} points of accuracy`;
  if (fastest === best) {
    notes.push(`${best.name} is also the fastest to train: ${duration(seconds(best))}.`);
  } else if (seconds(fastest) > 0) {
    notes.push(
      `${fastest.name} trained fastest, in ${duration(seconds(fastest))}; ${best.name} took ${duration(seconds(best))} (${times(seconds(best) / seconds(fastest))} times as long) for ${gap(fastest)}.`,
    );
  }
  const size = (run: Finished) => run.summary.parameters;
  const smallest = order.reduce((a, b) => (size(b) < size(a) ? b : a));
  if (size(smallest) > 0 && size(smallest) < size(best)) {
    notes.push(
      `${smallest.name} is the smallest with ${count(size(smallest))} parameters; ${best.name} has ${count(size(best))} (${times(size(best) / size(smallest))} times as many) for ${gap(smallest)}.`,
    );
  }
  return notes;
}

/** Where the best run goes wrong most. */
function confusions([best]: readonly Finished[]): string[] {
  const matrix = best?.confusion;
  if (best === undefined || matrix === undefined) return [];
  const { names, classes: n, counts } = matrix;
  let worst = { from: 0, to: 0, errors: 0 };
  for (let from = 0; from < n; from++) {
    for (let to = 0; to < n; to++) {
      const errors = counts[from * n + to]!;
      if (from !== to && errors > worst.errors) worst = { from, to, errors };
    }
  }
  if (worst.errors === 0) return [`${best.name} made no mistake on the test images.`];
  const support = counts
    .subarray(worst.from * n, (worst.from + 1) * n)
    .reduce((sum, images) => sum + images, 0);
  return [
    `The most frequent mistake of ${best.name}: “${names[worst.from]}” taken for “${names[worst.to]}”, ${count(worst.errors)} of ${count(support)} images.`,
  ];
}

/** Overfitting, and runs that were still getting better. */
function trainingShape(order: readonly Finished[]): string[] {
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
    if (epochs.length > 1 && summary.best?.epoch === last.epoch && summary.status === "finished") {
      notes.push(`${name} had its best epoch last: more epochs may help.`);
    }
    return notes;
  });
}

function unfinished(runs: readonly Run[]): string[] {
  const names = runs.filter((run) => !isFinished(run)).map((run) => run.name);
  if (names.length === 0) return [];
  return [`Not ranked, without test results yet: ${list(names)}.`];
}

function list(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
