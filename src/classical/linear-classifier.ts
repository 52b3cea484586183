import { ThawError } from "../errors.ts";
import { finish, type Steps } from "../platform/stop.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";
import { checkFeatures, fitted, owned } from "./checks.ts";
import type { ClassifierEstimator, EstimatorState, FitOptions, Params } from "./estimator.ts";
import { type LinearProblem, solveLinear } from "./linear-model.ts";

interface Shared {
  readonly tol: number;
  readonly maxIter: number;
  readonly onWarning: (text: string) => void;
}

interface Fitted {
  readonly classes: Int32Array;
  /** [K, d] and [K], float64: K is the number of classes, and 1 where there are two. */
  readonly coef: Tensor;
  readonly intercept: Tensor;
  readonly nIter: number;
}

/** A classifier whose scores are linear in the features: what logistic regression and the linear SVM have in common. */
export abstract class LinearClassifier<P extends Shared> implements ClassifierEstimator {
  abstract readonly name: string;
  readonly params: Readonly<P> & Params;
  #fitted: Fitted | undefined;
  #objective = Number.NaN;

  constructor(params: P) {
    this.params = params as Readonly<P> & Params;
  }

  abstract fitSteps(x: Tensor, y: ArrayLike<number>, options?: FitOptions): Steps<void>;
  abstract clone(changes?: Params): LinearClassifier<P>;

  fit(x: Tensor, y: ArrayLike<number>, options?: FitOptions): this {
    finish(this.fitSteps(x, y, options));
    return this;
  }

  get classes(): Int32Array {
    return this.#state.classes;
  }

  /** [K, d] float64, K being the number of classes, and 1 where there are two; the estimator's own. */
  get coef(): Tensor {
    return this.#state.coef;
  }

  /** [K] float64; zeros without an intercept. */
  get intercept(): Tensor {
    return this.#state.intercept;
  }

  /** Iterations of the solver. */
  get nIter(): number {
    return this.#state.nIter;
  }

  /** What was minimised, at the solution; NaN for a model that was loaded. */
  get objective(): number {
    return this.#objective;
  }

  /** [n, K] scores, the larger the surer; with two classes [n, 1], positive for the second. */
  decisionFunction(x: Tensor): Tensor {
    const { coef, intercept } = this.#state;
    checkFeatures(this.name, x, coef.size(1));
    return scope(() => {
      const scores = ops.mm(ops.toDtype(coef, x.dtype), ops.t(x));
      return ops.t(ops.add(scores, ops.toDtype(ops.unsqueeze(intercept, 1), x.dtype)));
    });
  }

  predict(x: Tensor): Int32Array {
    const { classes } = this.#state;
    return scope(() => {
      const scores = this.decisionFunction(x);
      const best =
        scores.size(1) === 1
          ? ops.toDtype(ops.select(ops.gtScalar(scores, 0), 1, 0), "int64")
          : ops.argmax(scores, { dim: 1 });
      return Int32Array.from(best.toArray("int64"), (code) => classes[Number(code)]!);
    });
  }

  /** One piece: a product of matrices. */
  *predictSteps(x: Tensor): Steps<Int32Array> {
    yield;
    return this.predict(x);
  }

  *confidenceSteps(x: Tensor): Steps<Tensor> {
    yield;
    return this.confidence(x);
  }

  confidence(x: Tensor): Tensor {
    return scope(() => {
      const scores = this.decisionFunction(x);
      if (scores.size(1) > 1) return ops.softmax(scores, 1);
      return ops.softmax(ops.cat([ops.zerosLike(scores), scores], { dim: 1 }), 1);
    });
  }

  state(): EstimatorState {
    const { classes, coef, intercept, nIter } = this.#state;
    const tensors = new Map([
      ["coef", coef],
      ["intercept", intercept],
    ]);
    return { params: this.params, tensors, classes: [...classes], nIter };
  }

  [Symbol.dispose](): void {
    this.#fitted?.coef.dispose();
    this.#fitted?.intercept.dispose();
    this.#fitted = undefined;
  }

  protected *solve(
    x: Tensor,
    classes: Int32Array,
    { from }: FitOptions,
    problem: Pick<LinearProblem, "loss" | "ridge" | "intercept" | "refresh">,
  ): Steps<void> {
    const { tol, maxIter, onWarning } = this.params;
    const outputs = classes.length === 2 ? 1 : classes.length;
    const start =
      from === undefined ? undefined : this.#startFrom(from, problem.intercept?.feature);
    const solution = yield* solveLinear({ ...problem, x, outputs, tol, maxIter, start });
    const { weights, iterations, converged, gradientMax } = solution;
    const d = x.size(1);
    const feature = problem.intercept?.feature;
    const intercept =
      feature === undefined
        ? ops.zeros([outputs], { dtype: "float64" })
        : ops.mulScalar(ops.select(weights, 1, d), feature);
    this.#keep({
      classes,
      coef: owned(ops.narrow(weights, 1, 0, d)),
      intercept: owned(intercept),
      nIter: iterations,
    });
    this.#objective = solution.value;
    if (!converged) {
      onWarning(
        `${this.name} did not converge in ${maxIter} iterations: the gradient's largest entry is ` +
          `${gradientMax.toPrecision(3)}, and tol is ${tol}; raise maxIter or scale the features`,
      );
    }
  }

  protected restore({ tensors, classes, nIter }: EstimatorState): this {
    const [coef, intercept] = [tensors.get("coef"), tensors.get("intercept")];
    if (coef === undefined || intercept === undefined || classes === undefined) {
      throw new ThawError(`${this.name}: its state has no coef, intercept or classes`);
    }
    this.#keep({
      classes: Int32Array.from(classes),
      coef: owned(coef),
      intercept: owned(intercept),
      nIter: nIter ?? 0,
    });
    return this;
  }

  get #state(): Fitted {
    return fitted(this.name, this.#fitted);
  }

  #keep(state: Fitted): void {
    this[Symbol.dispose]();
    this.#fitted = state;
  }

  /** [K, D] of another fit. */
  #startFrom(from: ClassifierEstimator, feature: number | undefined): Tensor {
    if (!(from instanceof LinearClassifier)) {
      throw new ThawError(`${this.name} cannot start from ${from.name}`);
    }
    const { coef, intercept } = from;
    if (feature === undefined) return coef;
    return ops.cat([coef, ops.divScalar(ops.unsqueeze(intercept, 1), feature)], { dim: 1 });
  }
}
