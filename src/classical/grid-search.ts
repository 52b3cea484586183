import { UsageError } from "../errors.ts";
import { finish, type Steps } from "../platform/stop.ts";
import { scopeInSteps, type Tensor } from "../tensor/index.ts";
import { fitted } from "./checks.ts";
import { type CrossValidationOptions, foldsOf, partOf } from "./cross-validation.ts";
import type { ClassifierEstimator, Params } from "./estimator.ts";
import { scorer } from "./scoring.ts";

/** Values to try by parameter: every combination of them is. */
export type ParamGrid = Readonly<Record<string, readonly unknown[]>>;

export interface GridSearchOptions extends CrossValidationOptions {
  readonly paramGrid: ParamGrid;
  /** Fit the best combination on all rows; default true. */
  readonly refit?: boolean;
  /** Told after every fit. */
  readonly onFit?: (fit: GridFit) => void;
}

export interface GridFit {
  readonly params: Params;
  /** Of the fold, from 0; null when the best is fitted on all rows. */
  readonly fold: number | null;
  readonly score: number;
  readonly seconds: number;
}

/** What was found, a row a combination, in the order of the grid. */
export interface GridResult {
  readonly params: Params;
  readonly splitTestScores: Float64Array;
  readonly meanTestScore: number;
  /** Population standard deviation. */
  readonly stdTestScore: number;
  /** From 1; equal scores have the same. */
  readonly rankTestScore: number;
  readonly meanFitSeconds: number;
}

/**
 * Tries every combination of parameters by cross-validation: scikit-learn's `GridSearchCV`. Within a fold, a linear model
 * starts from the solution of the combination before, which is near, and the fit on all rows from that of the last fold;
 * the problem is convex, so that it ends at the same minimum.
 */
export class GridSearchCV implements Disposable {
  readonly estimator: ClassifierEstimator;
  readonly options: GridSearchOptions;
  #fitted: { results: GridResult[]; best: number; estimator?: ClassifierEstimator } | undefined;

  /** @throws UsageError for a parameter that the estimator does not have, or one without values. */
  constructor(estimator: ClassifierEstimator, options: GridSearchOptions) {
    this.estimator = estimator;
    this.options = options;
    for (const params of combinations(options.paramGrid)) estimator.clone(params)[Symbol.dispose]();
  }

  fit(x: Tensor, y: ArrayLike<number>): this {
    finish(this.fitSteps(x, y));
    return this;
  }

  /** The same in pieces. */
  *fitSteps(x: Tensor, y: ArrayLike<number>): Steps<void> {
    const { paramGrid, cv = 5, scoring = "accuracy", refit = true, onFit } = this.options;
    const score = scorer(scoring);
    const all = combinations(paramGrid);
    const scores = all.map(() => [] as number[]);
    const seconds = all.map(() => 0);
    const folds = foldsOf(cv, y);
    using kept = new Kept();
    const { estimator: base } = this;
    for (const [k, fold] of folds.entries()) {
      yield* scopeInSteps(function* () {
        const { train, test } = partOf(x, y, fold);
        for (const [i, params] of all.entries()) {
          const next = base.clone(params);
          const began = performance.now();
          yield* kept.fitSteps(next, train.x, train.y, { first: i === 0 });
          const took = (performance.now() - began) / 1000;
          const result = score(test.y, yield* next.predictSteps(test.x));
          scores[i]!.push(result);
          seconds[i]! += took / folds.length;
          if (k === folds.length - 1) kept.judge(mean(scores[i]!));
          onFit?.({ params, fold: k, score: result, seconds: took });
        }
      });
    }
    const results = summarise(all, scores, seconds);
    const best = results.findIndex((result) => result.rankTestScore === 1);
    this[Symbol.dispose]();
    this.#fitted = { results, best };
    if (refit) {
      const estimator = this.estimator.clone(all[best]!);
      const began = performance.now();
      this.#fitted.estimator = estimator;
      yield* estimator.fitSteps(x, y, { from: kept.best });
      const took = (performance.now() - began) / 1000;
      const { meanTestScore } = results[best]!;
      onFit?.({ params: all[best]!, fold: null, score: meanTestScore, seconds: took });
    }
  }

  get cvResults(): readonly GridResult[] {
    return fitted("GridSearchCV", this.#fitted).results;
  }

  get bestIndex(): number {
    return fitted("GridSearchCV", this.#fitted).best;
  }

  get bestParams(): Params {
    return this.cvResults[this.bestIndex]!.params;
  }

  get bestScore(): number {
    return this.cvResults[this.bestIndex]!.meanTestScore;
  }

  /** Fitted on all rows with the best parameters; the search owns it. */
  get bestEstimator(): ClassifierEstimator {
    return fitted("GridSearchCV (with refit)", this.#fitted?.estimator);
  }

  predict(x: Tensor): Int32Array {
    return this.bestEstimator.predict(x);
  }

  [Symbol.dispose](): void {
    this.#fitted?.estimator?.[Symbol.dispose]();
    this.#fitted = undefined;
  }
}

/** What later fits start from: the estimator before in the fold, and the best of the last fold for all rows. */
class Kept implements Disposable {
  #previous: ClassifierEstimator | undefined;
  #best: { readonly estimator: ClassifierEstimator; readonly score: number } | undefined;

  get best(): ClassifierEstimator | undefined {
    return this.#best?.estimator;
  }

  *fitSteps(
    next: ClassifierEstimator,
    x: Tensor,
    y: Int32Array,
    { first }: { first: boolean },
  ): Steps<void> {
    let isFitted = false;
    try {
      yield* next.fitSteps(x, y, { from: first ? undefined : this.#previous });
      isFitted = true;
    } finally {
      // Where it failed, or was left.
      if (!isFitted) next[Symbol.dispose]();
    }
    if (this.#previous !== this.best) this.#previous?.[Symbol.dispose]();
    this.#previous = next;
  }

  /** The newest's mean score over all folds. */
  judge(score: number): void {
    if (this.#previous === undefined || score <= (this.#best?.score ?? Number.NEGATIVE_INFINITY)) {
      return;
    }
    this.best?.[Symbol.dispose]();
    this.#best = { estimator: this.#previous, score };
  }

  [Symbol.dispose](): void {
    if (this.#previous !== this.best) this.#previous?.[Symbol.dispose]();
    this.best?.[Symbol.dispose]();
  }
}

/** Each is fitted once a fold. */
const MOST_CANDIDATES = 10_000;

/** Every combination, the last parameter by name going fastest, as scikit-learn orders them. */
function combinations(grid: ParamGrid): Params[] {
  const keys = Object.keys(grid).sort();
  const empty = keys.find((key) => grid[key]!.length === 0);
  if (empty !== undefined) throw new UsageError(`the grid has no value for ${empty}`);
  const count = keys.reduce((product, key) => product * grid[key]!.length, 1);
  if (count > MOST_CANDIDATES) {
    throw new UsageError(
      `the grid has ${count.toLocaleString("en")} combinations; at most ${MOST_CANDIDATES.toLocaleString("en")}`,
      { hint: "start with a coarse grid, then refine it around the best values" },
    );
  }
  return keys.reduce<Params[]>(
    (all, key) => all.flatMap((params) => grid[key]!.map((value) => ({ ...params, [key]: value }))),
    [{}],
  );
}

function summarise(all: Params[], scores: number[][], seconds: number[]): GridResult[] {
  const means = scores.map(mean);
  return all.map((params, i) => ({
    params,
    splitTestScores: Float64Array.from(scores[i]!),
    meanTestScore: means[i]!,
    stdTestScore: Math.sqrt(mean(scores[i]!.map((score) => (score - means[i]!) ** 2))),
    rankTestScore: 1 + means.filter((other) => other > means[i]!).length,
    meanFitSeconds: seconds[i]!,
  }));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
