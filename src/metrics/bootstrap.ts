import { ThawError } from "../errors.ts";
import { averageScore } from "./average.ts";
import type { ConfusionMatrix } from "./confusion-matrix.ts";
import { f1Of } from "./f1.ts";
import { Resampler } from "./multinomial.ts";

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
  const { classes } = matrix;
  const cells = filledCells(matrix.counts);
  const pairs = cells.at.map((cell) => [Math.floor(cell / classes), cell % classes] as const);
  const resampler = new Resampler(cells.counts, seed);
  const drawn = new Float64Array(cells.counts.length);
  const table = new ClassTable(classes);
  const values = new Float64Array(resamples);
  for (let i = 0; i < resamples; i++) {
    resampler.draw(drawn);
    table.clear();
    pairs.forEach(([label, predicted], k) => {
      table.add(label, predicted, drawn[k]!);
    });
    values[i] = table.macroF1();
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
  const cells = filledCells(jointCounts(pairs));
  const resampler = new Resampler(cells.counts, seed);
  const drawn = new Float64Array(cells.counts.length);
  const triples = cells.at.map((cell) => ({
    label: Math.floor(cell / (classes * classes)),
    one: Math.floor(cell / classes) % classes,
    two: cell % classes,
  }));
  const one = new ClassTable(classes);
  const two = new ClassTable(classes);
  const accuracy = new Float64Array(resamples);
  const macro = new Float64Array(resamples);
  const differences = () => {
    one.clear();
    two.clear();
    triples.forEach((cell, k) => {
      one.add(cell.label, cell.one, drawn[k]!);
      two.add(cell.label, cell.two, drawn[k]!);
    });
    return [(one.hits() - two.hits()) / labels.length, one.macroF1() - two.macroF1()] as const;
  };
  drawn.set(cells.counts);
  const observed = differences();
  for (let i = 0; i < resamples; i++) {
    resampler.draw(drawn);
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

/** Counts of the classes alone: a drawn test set of a thousand classes has no use for their square. */
class ClassTable {
  readonly #hits: number[];
  readonly #predicted: number[];
  readonly #support: number[];

  constructor(classes: number) {
    const zeros = () => new Array<number>(classes).fill(0);
    [this.#hits, this.#predicted, this.#support] = [zeros(), zeros(), zeros()];
  }

  clear(): void {
    for (const counts of [this.#hits, this.#predicted, this.#support]) counts.fill(0);
  }

  add(label: number, predicted: number, images: number): void {
    this.#support[label]! += images;
    this.#predicted[predicted]! += images;
    if (label === predicted) this.#hits[label]! += images;
  }

  hits(): number {
    return this.#hits.reduce((sum, n) => sum + n, 0);
  }

  macroF1(): number {
    const counts = { hits: this.#hits, predicted: this.#predicted, support: this.#support };
    return averageScore(f1Of, counts, "macro");
  }
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
