import type { Steps } from "../platform/stop.ts";
import { ops, scopeInSteps, Tensor } from "../tensor/index.ts";
import { checkFeatures, checkPositive, encodeLabels, warnNotConverged } from "./checks.ts";
import { changed, type EstimatorState, type FitOptions, type Params } from "./estimator.ts";
import { LinearClassifier } from "./linear-classifier.ts";
import type { Loss } from "./linear-model.ts";

export interface LogisticRegressionParams {
  /** Inverse strength of regularisation. */
  readonly C: number;
  readonly fitIntercept: boolean;
  /** Converged where no entry of the gradient is larger. */
  readonly tol: number;
  readonly maxIter: number;
  readonly onWarning: (text: string) => void;
}

/** The probabilities move fast at first, then ever slower. Oftener costs more than it saves. */
const REFRESHED_AT = [25, 100, 250];

const defaults: LogisticRegressionParams = {
  C: 1,
  fitIntercept: true,
  tol: 1e-4,
  maxIter: 100,
  onWarning: warnNotConverged,
};

/**
 * Logistic regression, multinomial for three classes and more, with an L2 penalty on the coefficients and none on the
 * intercept: scikit-learn's `LogisticRegression(solver="lbfgs")`. It minimises Σ log-loss + ‖W‖²/(2·C).
 */
export class LogisticRegression extends LinearClassifier<LogisticRegressionParams> {
  readonly name = "LogisticRegression";

  constructor(params: Partial<LogisticRegressionParams> = {}) {
    super({ ...defaults, ...params });
    const { C, tol, maxIter } = this.params;
    checkPositive(this.name, { C, tol, maxIter });
  }

  *fitSteps(x: Tensor, y: ArrayLike<number>, options: FitOptions = {}): Steps<void> {
    checkFeatures(this.name, x);
    const { classes, codes } = encodeLabels(this.name, x, y);
    const { C, fitIntercept } = this.params;
    yield* scopeInSteps(() =>
      this.solve(x, classes, options, {
        loss: classes.length === 2 ? binary(codes, x) : multinomial(codes, classes.length, x),
        ridge: 1 / C,
        intercept: fitIntercept ? { feature: 1, ridge: 0 } : undefined,
        refresh: { at: (iteration) => REFRESHED_AT.includes(iteration), each: false },
      }),
    );
  }

  /** [n, classes] class probabilities. */
  predictProba(x: Tensor): Tensor {
    return this.confidence(x);
  }

  clone(changes: Params = {}): LogisticRegression {
    return new LogisticRegression(changed(this.name, this.params, changes));
  }

  static from(state: EstimatorState): LogisticRegression {
    return new LogisticRegression(state.params).restore(state);
  }
}

/** Cross-entropy of a softmax over K scores. */
function multinomial(codes: Int32Array, classes: number, x: Tensor): Loss {
  const index = ops.toDtype(Tensor.from(codes, [1, codes.length]), "int64");
  const truth = ops.zeros([classes, codes.length], { dtype: x.dtype });
  ops.scatter_Value(truth, 0, index, 1);
  return {
    evaluate(scores) {
      const logs = ops.logSoftmax(scores, 0);
      const value = -ops.sum(ops.gather(logs, 0, index), { dtype: "float64" }).item();
      return { value, derivative: ops.sub_(ops.exp(logs), truth) };
    },
    curvature(scores) {
      const p = ops.softmax(scores, 0);
      return ops.sub(p, ops.square(p));
    },
  };
}

/** The same of two classes, of which the first has the score 0. */
function binary(codes: Int32Array, x: Tensor): Loss {
  const two = multinomial(codes, 2, x);
  const both = (scores: Tensor) => ops.cat([ops.zerosLike(scores), scores]);
  return {
    evaluate(scores) {
      const { value, derivative } = two.evaluate(both(scores));
      return { value, derivative: ops.contiguous(ops.narrow(derivative, 0, 1, 1)) };
    },
    curvature: (scores) => ops.narrow(two.curvature(both(scores)), 0, 1, 1),
  };
}
