import { ops, scope, type Tensor } from "../tensor/index.ts";
import { checkFeatures, fitted, owned } from "./checks.ts";
import { changed, type EstimatorState, type Params, type Transformer } from "./estimator.ts";
import { disposeTensors, stateTensors } from "./state.ts";

export interface StandardScalerParams {
  readonly withMean: boolean;
  readonly withStd: boolean;
}

const defaults: StandardScalerParams = { withMean: true, withStd: true };

/** Brings every feature to mean 0 and population deviation 1; a constant feature keeps its scale. scikit-learn's. */
export class StandardScaler implements Transformer {
  readonly name = "StandardScaler";
  readonly params: StandardScalerParams & Params;
  #fitted: Record<"mean" | "scale" | "var", Tensor> | undefined;

  constructor(params: Partial<StandardScalerParams> = {}) {
    this.params = { ...defaults, ...params };
  }

  fit(x: Tensor): this {
    checkFeatures(this.name, x);
    scope(() => {
      const n = x.size(0);
      const mean = ops.divScalar(ops.sumDim(x, { dim: 0, dtype: "float64" }), n);
      const variance = ops.zeros([x.size(1)], { dtype: "float64" });
      // In blocks: a float64 copy of all features would be twice their size.
      for (let start = 0; start < n; start += BLOCK) {
        scope(() => {
          const rows = ops.narrow(x, 0, start, Math.min(BLOCK, n - start));
          const centred = ops.sub(ops.toDtype(rows, "float64"), mean);
          ops.add_(variance, ops.sumDim(ops.square(centred), { dim: 0 }));
        });
      }
      ops.div_Scalar(variance, n);
      // What rounding leaves of a constant feature's variance is no scale (scikit-learn's bound).
      const noise = ops.mulScalar(ops.abs(mean), n * Number.EPSILON);
      const bound = ops.add(ops.square(noise), ops.mulScalar(variance, n * Number.EPSILON));
      const constant = ops.logicalNot(ops.gt(variance, bound));
      const scale = ops.maskedFillScalar(ops.sqrt(variance), constant, 1);
      this[Symbol.dispose]();
      this.#fitted = { mean: owned(mean), scale: owned(scale), var: owned(variance) };
    });
    return this;
  }

  /** [d] float64 */
  get mean(): Tensor {
    return fitted(this.name, this.#fitted).mean;
  }

  /** [d] float64: population variances. */
  get var(): Tensor {
    return fitted(this.name, this.#fitted).var;
  }

  /** [d] float64: their roots, 1 for constant features. */
  get scale(): Tensor {
    return fitted(this.name, this.#fitted).scale;
  }

  transform(x: Tensor): Tensor {
    const { mean, scale } = fitted(this.name, this.#fitted);
    checkFeatures(this.name, x, mean.size(0));
    const { withMean, withStd } = this.params;
    return scope(() => {
      let result = x;
      if (withMean) result = ops.sub(result, ops.toDtype(mean, x.dtype));
      if (withStd) result = ops.div(result, ops.toDtype(scale, x.dtype));
      return result === x ? ops.clone(x) : result;
    });
  }

  clone(changes: Params = {}): StandardScaler {
    return new StandardScaler(changed(this.name, this.params, changes));
  }

  state(): EstimatorState {
    return {
      params: this.params,
      tensors: new Map(Object.entries(fitted(this.name, this.#fitted))),
    };
  }

  static from(state: EstimatorState): StandardScaler {
    const scaler = new StandardScaler(state.params);
    scaler.#fitted = stateTensors(scaler.name, state, ["mean", "scale", "var"]);
    return scaler;
  }

  [Symbol.dispose](): void {
    disposeTensors(this.#fitted);
    this.#fitted = undefined;
  }
}

const BLOCK = 8192;
