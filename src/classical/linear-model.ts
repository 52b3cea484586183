import type { Steps } from "../platform/stop.ts";
import { ops, scope, scopeInSteps, type Tensor } from "../tensor/index.ts";
import { type Minimum, minimize } from "./lbfgs.ts";
import { inverseCurvature } from "./preconditioner.ts";

/** A loss of scores [K, n], summed over rows. */
export interface Loss {
  /** Its value, and its derivative by every score, [K, n]. */
  evaluate(scores: Tensor): { readonly value: number; readonly derivative: Tensor };
  /** Its second derivative by every score, [K, n]. */
  curvature(scores: Tensor): Tensor;
}

export interface LinearProblem {
  /** [n, d] float32 or float64: products with it are computed in its dtype, all else in float64. */
  readonly x: Tensor;
  /** K: rows of coefficients. */
  readonly outputs: number;
  readonly loss: Loss;
  /** Half of it times the squared norm of the coefficients is added. */
  readonly ridge: number;
  /** The constant feature that the intercept is the coefficient of, and its ridge; undefined: no intercept. */
  readonly intercept: { readonly feature: number; readonly ridge: number } | undefined;
  /** Iterations before which the preconditioner is computed anew, for each output or all together. */
  readonly refresh: { readonly at: (iteration: number) => boolean; readonly each: boolean };
  readonly tol: number;
  readonly maxIter: number;
  /** [K, D] float64, where to start; default zeros. */
  readonly start?: Tensor | undefined;
}

export interface LinearSolution extends Omit<Minimum, "point"> {
  /** [K, D] float64: D is d, and one more with an intercept. */
  readonly weights: Tensor;
}

/** Above so many features, factors for each output take more memory and time than they save. */
const MOST_FOR_EACH = 2048;

/** Minimises loss(W·Xᵀ) + ½·ridge·‖W‖². The caller's scope owns the solution. */
export function solveLinear(problem: LinearProblem): Steps<LinearSolution> {
  const { x, outputs, loss, intercept, start, tol, maxIter, refresh } = problem;
  return scopeInSteps(function* () {
    const d = x.size(1) + (intercept === undefined ? 0 : 1);
    const ridge = ops.full([d], problem.ridge, { dtype: "float64" });
    if (intercept !== undefined) ops.fill_Scalar(ops.narrow(ridge, 0, d - 1, 1), intercept.ridge);
    const bias = intercept?.feature;
    const scores = (weights: Tensor): Tensor => {
      const w = ops.toDtype(ops.narrow(weights, 1, 0, x.size(1)), x.dtype);
      const b =
        bias === undefined
          ? ops.zeros([outputs], { dtype: "float64" })
          : ops.mulScalar(ops.select(weights, 1, d - 1), bias);
      return ops.linearScores(x, ops.contiguous(w), ops.toDtype(b, x.dtype));
    };
    const evaluate = (point: Tensor) => {
      let value = 0;
      const gradient = scope(() => {
        const weights = ops.view(point, [outputs, d]);
        const { value: fit, derivative } = loss.evaluate(scores(weights));
        const parts = [ops.linearGradient(x, derivative)];
        if (bias !== undefined) {
          const sums = ops.sumDim(derivative, { dim: 1, keepdim: true, dtype: "float64" });
          parts.push(ops.mulScalar(sums, bias));
        }
        const pull = ops.mul(weights, ridge);
        value = fit + ops.sum(ops.mul(pull, weights)).item() / 2;
        return ops.view(ops.add(ops.cat(parts, { dim: 1 }), pull), [outputs * d]);
      });
      return { value, gradient };
    };
    const first = start ?? ops.zeros([outputs, d], { dtype: "float64" });
    const { point, ...rest } = yield* minimize({ evaluate }, ops.reshape(first, [-1]), {
      tol,
      maxIter,
      precondition: (iteration, at) => {
        if (iteration > 0 && !refresh.at(iteration)) return undefined;
        const each = iteration > 0 && refresh.each && d <= MOST_FOR_EACH;
        const weights = scope(() => {
          const curvature = loss.curvature(scores(ops.view(at, [outputs, d])));
          return each ? curvature : ops.meanDim(curvature, { dim: 0, keepdim: true });
        });
        return inverseCurvature({ x, weights, bias, ridge });
      },
    });
    return { weights: ops.view(point, [outputs, d]), ...rest };
  });
}
