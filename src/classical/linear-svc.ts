import type { Steps } from "../platform/stop.ts";
import { ops, scopeInSteps, Tensor } from "../tensor/index.ts";
import { checkFeatures, checkPositive, encodeLabels, warnNotConverged } from "./checks.ts";
import { changed, type EstimatorState, type FitOptions, type Params } from "./estimator.ts";
import { LinearClassifier } from "./linear-classifier.ts";
import type { Loss } from "./linear-model.ts";

export interface LinearSVCParams {
  /** Weight of the loss against the regularisation. */
  readonly C: number;
  readonly fitIntercept: boolean;
  /** The constant feature whose coefficient the intercept is; that coefficient is regularised like the others. */
  readonly interceptScaling: number;
  /** Converged where no entry of the gradient is larger. */
  readonly tol: number;
  readonly maxIter: number;
  readonly onWarning: (text: string) => void;
}

const defaults: LinearSVCParams = {
  C: 1,
  fitIntercept: true,
  interceptScaling: 1,
  tol: 1e-4,
  maxIter: 1000,
  onWarning: warnNotConverged,
};

/**
 * A linear support vector machine with the squared hinge loss, one class against the rest: scikit-learn's `LinearSVC()`,
 * which is liblinear's (Fan et al. 2008). For each class it minimises ½·‖w‖² + C·Σ max(0, 1 − y·score)², the intercept
 * being the coefficient of a feature `interceptScaling` and part of w.
 */
export class LinearSVC extends LinearClassifier<LinearSVCParams> {
  readonly name = "LinearSVC";

  constructor(params: Partial<LinearSVCParams> = {}) {
    super({ ...defaults, ...params });
    const { C, tol, maxIter, interceptScaling } = this.params;
    checkPositive(this.name, { C, tol, maxIter, interceptScaling });
  }

  *fitSteps(x: Tensor, y: ArrayLike<number>, options: FitOptions = {}): Steps<void> {
    checkFeatures(this.name, x);
    const { classes, codes } = encodeLabels(this.name, x, y);
    const { C, fitIntercept, interceptScaling } = this.params;
    yield* scopeInSteps(() =>
      this.solve(x, classes, options, {
        loss: squaredHinge(codes, classes.length, C, x),
        ridge: 1,
        intercept: fitIntercept ? { feature: interceptScaling, ridge: 1 } : undefined,
        // Between two rows' crossing the margin the loss is quadratic: with the Hessians of the few rows that count, nearly
        // Newton's method.
        refresh: { at: (iteration) => iteration % 20 === 0, each: true },
      }),
    );
  }

  clone(changes: Params = {}): LinearSVC {
    return new LinearSVC(changed(this.name, this.params, changes));
  }

  static from(state: EstimatorState): LinearSVC {
    return new LinearSVC(state.params).restore(state);
  }
}

/** C·Σ max(0, 1 − y·score)², y being 1 for the row's class and −1 for the others. Two classes have one score. */
function squaredHinge(codes: Int32Array, classes: number, C: number, x: Tensor): Loss {
  const signs = ops.full([classes, codes.length], -1, { dtype: x.dtype });
  const index = ops.toDtype(Tensor.from(codes, [1, codes.length]), "int64");
  ops.scatter_Value(signs, 0, index, 1);
  const y = classes === 2 ? ops.narrow(signs, 0, 1, 1) : signs;
  const missing = (scores: Tensor) => ops.clampMin_(ops.rsubScalar(ops.mul(scores, y), 1), 0);
  return {
    evaluate(scores) {
      const m = missing(scores);
      const value = C * ops.sum(ops.square(m), { dtype: "float64" }).item();
      return { value, derivative: ops.mul_Scalar(ops.mul_(m, y), -2 * C) };
    },
    curvature: (scores) =>
      ops.mulScalar(ops.toDtype(ops.gtScalar(missing(scores), 0), x.dtype), 2 * C),
  };
}
