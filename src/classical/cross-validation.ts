import { ops, scope, Tensor } from "../tensor/index.ts";
import type { ClassifierEstimator } from "./estimator.ts";
import { type Scoring, scorer } from "./scoring.ts";
import { type Fold, StratifiedKFold } from "./stratified-k-fold.ts";

export interface CrossValidationOptions {
  /** A number of folds, which are not shuffled, or how to make them; default 5. */
  readonly cv?: number | StratifiedKFold;
  /** Default accuracy. */
  readonly scoring?: Scoring;
}

/** The score of each fold, of a clone that was fitted on the others. */
export function crossValScore(
  estimator: ClassifierEstimator,
  x: Tensor,
  y: ArrayLike<number>,
  { cv = 5, scoring = "accuracy" }: CrossValidationOptions = {},
): Float64Array {
  const score = scorer(scoring);
  return Float64Array.from(foldsOf(cv, y), (fold) =>
    scope(() => {
      using fresh = estimator.clone();
      const { train, test } = partOf(x, y, fold);
      fresh.fit(train.x, train.y);
      return score(test.y, fresh.predict(test.x));
    }),
  );
}

export function foldsOf(cv: number | StratifiedKFold, y: ArrayLike<number>): Fold[] {
  return (typeof cv === "number" ? new StratifiedKFold({ nSplits: cv }) : cv).split(y);
}

interface Part {
  readonly x: Tensor;
  readonly y: Int32Array;
}

/** The rows of a fold, copied; the caller's scope frees them. */
export function partOf(x: Tensor, y: ArrayLike<number>, fold: Fold): Record<keyof Fold, Part> {
  const part = (rows: Int32Array): Part => ({
    x: scope(() => ops.indexSelect(x, 0, Tensor.from(rows, [rows.length]))),
    y: Int32Array.from(rows, (row) => y[row]!),
  });
  return { train: part(fold.train), test: part(fold.test) };
}
