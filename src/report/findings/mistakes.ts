import { count, list, percent } from "../format.ts";
import type { Finished } from "../test-sets.ts";

/** Where the best run goes wrong most. */
export function confusions([best]: readonly Finished[]): string[] {
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

/** Models that have not learned: some class is never said, or the accuracy is that of one answer for all. */
export function degenerate(order: readonly Finished[]): string[] {
  return order.flatMap(({ name, summary, confusion }) => {
    if (confusion === undefined) return [];
    const { names, classes: n, counts } = confusion;
    const support = Array.from({ length: n }, (_, t) => sumOf(n, (p) => counts[t * n + p]!));
    const said = Array.from({ length: n }, (_, p) => sumOf(n, (t) => counts[t * n + p]!));
    const images = sumOf(n, (t) => support[t]!);
    const frequent = Math.max(...support) / images;
    const notes: string[] = [];
    if (frequent === 1) {
      notes.push(
        `All test images of ${name} are of one class: its numbers say nothing of telling classes apart.`,
      );
    } else if (summary.test.accuracy95[0] <= frequent) {
      notes.push(
        `${name} is no better than always answering the most frequent class (${percent(frequent)}): it has not learned, or its learning rate is wrong.`,
      );
    }
    const never = names.filter((_, c) => said[c] === 0 && support[c]! > 0);
    if (never.length > 0) notes.push(`${name} never answers ${list(never.map((c) => `“${c}”`))}.`);
    return notes;
  });
}

/** How far the best run's confidence is off, where that is much. */
export function calibration([best]: readonly Finished[]): string[] {
  const error = best?.summary.test.calibrationError ?? 0;
  if (best === undefined || error < 0.05) return [];
  return [
    `The confidence of ${best.name} is off by ${(100 * error).toFixed(1)} points on average (expected calibration error): do not read its probabilities as such.`,
  ];
}

function sumOf(n: number, of: (i: number) => number): number {
  return Array.from({ length: n }, (_, i) => of(i)).reduce((sum, value) => sum + value, 0);
}
