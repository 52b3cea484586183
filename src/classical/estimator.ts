import { nearest, UsageError } from "../errors.ts";
import type { Steps } from "../platform/stop.ts";
import type { Tensor } from "../tensor/index.ts";

/** Parameters of an estimator by name, as a grid changes them. */
export type Params = Readonly<Record<string, unknown>>;

/** What learns from data. It owns what it has learnt: dispose it. */
export interface Estimator extends Disposable {
  /** scikit-learn's name. */
  readonly name: string;
  /** Every parameter with its value. */
  readonly params: Params;
  /** The same, not fitted, with some parameters changed. @throws UsageError for a parameter that it does not have. */
  clone(changes?: Params): Estimator;
}

/** Learns how to change features, and changes them: [n, d] → [n, d']. */
export interface Transformer extends Estimator {
  fit(x: Tensor): this;
  transform(x: Tensor): Tensor;
  clone(changes?: Params): Transformer;
  state(): EstimatorState;
}

/** Learns classes from features [n, d] and labels [n], which are whole numbers of any value. */
export interface ClassifierEstimator extends Estimator {
  /** The labels, ascending: the order of the columns of scores. */
  readonly classes: Int32Array;
  fit(x: Tensor, y: ArrayLike<number>, options?: FitOptions): this;
  /** The same in pieces, for a program that does other things meanwhile, or may be told to stop. */
  fitSteps(x: Tensor, y: ArrayLike<number>, options?: FitOptions): Steps<void>;
  /** [n] labels. */
  predict(x: Tensor): Int32Array;
  predictSteps(x: Tensor): Steps<Int32Array>;
  /** [n, classes]: probabilities, or where the model has none, a softmax of its margins. */
  confidence(x: Tensor): Tensor;
  confidenceSteps(x: Tensor): Steps<Tensor>;
  clone(changes?: Params): ClassifierEstimator;
  state(): EstimatorState;
}

export interface FitOptions {
  /** A fitted estimator of the same kind, classes and features to start from: fewer iterations to the same minimum. */
  readonly from?: ClassifierEstimator | undefined;
}

/** What is needed to have a fitted estimator again. The tensors are the estimator's own: copy, do not dispose. */
export interface EstimatorState {
  readonly params: Params;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly classes?: readonly number[];
  readonly nIter?: number;
}

/** `params` with some changed. @throws UsageError for a name that is not among them. */
export function changed<P extends object>(name: string, params: P, changes: Params): P {
  const known = Object.keys(params);
  for (const key of Object.keys(changes)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw new UsageError(`${name} has no parameter ${JSON.stringify(key)}`, {
      hint: `${near === undefined ? "" : `did you mean ${near}? `}its parameters are ${known.join(", ")}`,
    });
  }
  return { ...params, ...changes };
}
