import { ThawError, UsageError } from "../errors.ts";
import { Generator, ops, scope } from "../tensor/index.ts";
import { distinct } from "./checks.ts";

export interface Fold {
  /** Rows, ascending. */
  readonly train: Int32Array;
  readonly test: Int32Array;
}

export interface StratifiedKFoldParams {
  readonly nSplits: number;
  /** Rows of a class are dealt out in their order, or shuffled by `seed`; the draws are not NumPy's. */
  readonly shuffle: boolean;
  readonly seed: number;
  readonly onWarning: (text: string) => void;
}

/** Folds in which every class has its share: scikit-learn's allocation, row for row where nothing is shuffled. */
export class StratifiedKFold {
  readonly params: StratifiedKFoldParams;

  constructor(params: Partial<StratifiedKFoldParams> = {}) {
    const onWarning = (text: string) => process.emitWarning(text);
    this.params = { nSplits: 5, shuffle: false, seed: 0, onWarning, ...params };
    const { nSplits } = this.params;
    if (!Number.isInteger(nSplits) || nSplits < 2) {
      throw new UsageError(`StratifiedKFold: nSplits is ${nSplits}, and is to be 2 or more`);
    }
  }

  /**
   * @throws ThawError where every class has fewer rows than there are folds; where only some have, they are warned of and
   * some folds lack them.
   */
  split(y: ArrayLike<number>): Fold[] {
    const { nSplits, onWarning } = this.params;
    const rows = rowsByClass(y);
    const fewest = rows.reduce((least, of) => (of.length < least.length ? of : least));
    if (rows.every((of) => of.length < nSplits)) {
      throw new ThawError(`${nSplits} folds, and no class has as many rows`, {
        hint: `use at most ${Math.max(...rows.map((of) => of.length))} folds, or more data`,
      });
    }
    if (fewest.length < nSplits) {
      onWarning(
        `class ${y[fewest[0]!]} has ${fewest.length} rows, fewer than the ${nSplits} folds: some folds lack it`,
      );
    }
    const fold = this.#assign(y, rows);
    const of = (test: (f: number) => boolean) =>
      Int32Array.from(fold.keys()).filter((row) => test(fold[row]!));
    return Array.from({ length: nSplits }, (_, k) => ({
      train: of((f) => f !== k),
      test: of((f) => f === k),
    }));
  }

  /** [n] the fold that each row is tested in. */
  #assign(y: ArrayLike<number>, rows: readonly number[][]): Int32Array {
    const { nSplits, shuffle, seed } = this.params;
    // Sorted by class, every nSplits-th row belongs to a fold: so its count of each class differs by at most one.
    const counts = rows.map(() => new Array<number>(nSplits).fill(0));
    let position = 0;
    rows.forEach((of, c) => {
      for (const _ of of) counts[c]![position++ % nSplits]!++;
    });
    const fold = new Int32Array(y.length);
    using random = new Generator(seed);
    rows.forEach((of, c) => {
      let folds = counts[c]!.flatMap((count, k) => new Array<number>(count).fill(k));
      if (shuffle) {
        const order = scope(() =>
          ops.randperm(folds.length, { generator: random }).toArray("int64"),
        );
        folds = Array.from(order, (i) => folds[Number(i)]!);
      }
      of.forEach((row, i) => {
        fold[row] = folds[i]!;
      });
    });
    return fold;
  }
}

/** The rows of each class, classes in the order they first appear in. */
function rowsByClass(y: ArrayLike<number>): number[][] {
  if (y.length === 0) throw new ThawError("StratifiedKFold: there are no labels");
  distinct("StratifiedKFold", y);
  const rows = new Map<number, number[]>();
  for (let row = 0; row < y.length; row++) {
    const of = rows.get(y[row]!);
    if (of === undefined) rows.set(y[row]!, [row]);
    else of.push(row);
  }
  return [...rows.values()];
}
