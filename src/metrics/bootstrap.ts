import { ThawError } from "../errors.ts";
import { averageScore } from "./average.ts";
import { type ConfusionMatrix, classCounts } from "./confusion-matrix.ts";
import { f1Of } from "./f1.ts";
import { resample, uniforms } from "./multinomial.ts";

export interface BootstrapOptions {
  readonly seed: number;
  /** Test sets that are drawn; default 1000. */
  readonly resamples?: number;
}

/**
 * 95 % interval of the macro-F1 by the percentile bootstrap: the middle 95 % of what test sets would give that are drawn
 * from this one with replacement. The same seed gives the same bits. (Efron 1979)
 */
export function bootstrapMacroF1(
  matrix: ConfusionMatrix,
  { seed, resamples = 1000 }: BootstrapOptions,
): readonly [lo: number, hi: number] {
  const random = uniforms(seed);
  const cells = filledCells(matrix.counts);
  const drawn = new Float64Array(cells.counts.length);
  const values = new Float64Array(resamples);
  const counts = new Float64Array(matrix.counts.length);
  for (let i = 0; i < resamples; i++) {
    resample(cells.counts, drawn, random);
    cells.at.forEach((cell, k) => {
      counts[cell] = drawn[k]!;
    });
    values[i] = macroF1({ classes: matrix.classes, counts });
  }
  return middle95(values);
}

export interface PairedBootstrap {
  /** First minus second. */
  readonly accuracy: Difference;
  readonly macroF1: Difference;
}

export interface Difference {
  readonly value: number;
  readonly interval95: readonly [lo: number, hi: number];
}

/** What two models say of the same images, in the same order; classes are numbers of one list. */
export interface PairedPredictions {
  readonly classes: number;
  readonly labels: ArrayLike<number>;
  readonly first: ArrayLike<number>;
  readonly second: ArrayLike<number>;
}

/** 95 % intervals of the differences of two models on one test set: each drawn test set judges both of them. */
export function pairedBootstrap(
  pairs: PairedPredictions,
  { seed, resamples = 1000 }: BootstrapOptions,
): PairedBootstrap {
  const { classes, labels, first, second } = pairs;
  if (labels.length === 0 || first.length !== labels.length || second.length !== labels.length) {
    throw new ThawError(
      `paired bootstrap: ${labels.length} labels, ${first.length} and ${second.length} predictions`,
    );
  }
  const random = uniforms(seed);
  const cells = filledCells(jointCounts(pairs));
  const drawn = new Float64Array(cells.counts.length);
  const tables = [
    new Float64Array(classes * classes),
    new Float64Array(classes * classes),
  ] as const;
  const accuracy = new Float64Array(resamples);
  const macro = new Float64Array(resamples);
  const differences = () => {
    for (const table of tables) table.fill(0);
    cells.at.forEach((cell, k) => {
      const t = Math.floor(cell / (classes * classes));
      const a = Math.floor(cell / classes) % classes;
      tables[0][t * classes + a]! += drawn[k]!;
      tables[1][t * classes + (cell % classes)]! += drawn[k]!;
    });
    const [one, two] = tables.map((counts) => ({ classes, counts })) as [
      ConfusionMatrix,
      ConfusionMatrix,
    ];
    return [(hitsOf(one) - hitsOf(two)) / labels.length, macroF1(one) - macroF1(two)] as const;
  };
  drawn.set(cells.counts);
  const observed = differences();
  for (let i = 0; i < resamples; i++) {
    resample(cells.counts, drawn, random);
    [accuracy[i], macro[i]] = differences();
  }
  return {
    accuracy: { value: observed[0], interval95: middle95(accuracy) },
    macroF1: { value: observed[1], interval95: middle95(macro) },
  };
}

/** Images by (true class, first's, second's) as one number: a map, for a thousand classes have 10⁹ such cells. */
function jointCounts({ classes, labels, first, second }: PairedPredictions): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) {
    const cell = (labels[i]! * classes + first[i]!) * classes + second[i]!;
    counts.set(cell, (counts.get(cell) ?? 0) + 1);
  }
  return counts;
}

interface Cells {
  readonly at: readonly number[];
  readonly counts: Float64Array;
}

function filledCells(counts: Float64Array | Map<number, number>): Cells {
  const filled = [...counts.entries()].filter(([, n]) => n > 0).sort(([a], [b]) => a - b);
  return { at: filled.map(([cell]) => cell), counts: Float64Array.from(filled, ([, n]) => n) };
}

function macroF1(matrix: ConfusionMatrix): number {
  return averageScore(f1Of, classCounts(matrix), "macro");
}

function hitsOf({ classes, counts }: ConfusionMatrix): number {
  let hits = 0;
  for (let c = 0; c < classes; c++) hits += counts[c * classes + c]!;
  return hits;
}

/** NumPy's `percentile` at 2.5 and 97.5, linear between neighbours. */
function middle95(values: Float64Array): readonly [number, number] {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => {
    const position = share * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
  };
  return [at(0.025), at(0.975)];
}
