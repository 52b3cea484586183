import { UsageError } from "../errors.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";
import { checkFeatures, fitted, owned } from "./checks.ts";
import { changed, type EstimatorState, type Params, type Transformer } from "./estimator.ts";
import { disposeTensors, stateTensors } from "./state.ts";

export interface MinMaxScalerParams {
  readonly featureRange: readonly [number, number];
}

const keys = ["dataMin", "dataMax", "scale", "min"] as const;

/** Brings every feature into `featureRange`; a constant feature goes to its lower end. scikit-learn's. */
export class MinMaxScaler implements Transformer {
  readonly name = "MinMaxScaler";
  readonly params: MinMaxScalerParams & Params;
  #fitted: Record<(typeof keys)[number], Tensor> | undefined;

  constructor({ featureRange = [0, 1] }: Partial<MinMaxScalerParams> = {}) {
    if (!(featureRange[0] < featureRange[1])) {
      throw new UsageError(`MinMaxScaler: featureRange [${featureRange.join(", ")}] is empty`);
    }
    this.params = { featureRange };
  }

  fit(x: Tensor): this {
    checkFeatures(this.name, x);
    const [low, high] = this.params.featureRange;
    scope(() => {
      const dataMin = ops.toDtype(ops.amin(x, { dim: 0 }), "float64");
      const dataMax = ops.toDtype(ops.amax(x, { dim: 0 }), "float64");
      const range = ops.sub(dataMax, dataMin);
      // scikit-learn's bound of what counts as constant: ten times the precision of float64.
      const safe = ops.maskedFillScalar(range, ops.ltScalar(range, 10 * Number.EPSILON), 1);
      const scale = ops.mulScalar(ops.reciprocal(safe), high - low);
      const min = ops.rsubScalar(ops.mul(dataMin, scale), low);
      this[Symbol.dispose]();
      this.#fitted = {
        dataMin: owned(dataMin),
        dataMax: owned(dataMax),
        scale: owned(scale),
        min: owned(min),
      };
    });
    return this;
  }

  /** [d] float64: a feature becomes feature · scale + min. */
  get scale(): Tensor {
    return fitted(this.name, this.#fitted).scale;
  }

  get min(): Tensor {
    return fitted(this.name, this.#fitted).min;
  }

  get dataMin(): Tensor {
    return fitted(this.name, this.#fitted).dataMin;
  }

  get dataMax(): Tensor {
    return fitted(this.name, this.#fitted).dataMax;
  }

  transform(x: Tensor): Tensor {
    const { scale, min } = fitted(this.name, this.#fitted);
    checkFeatures(this.name, x, scale.size(0));
    return scope(() => ops.add(ops.mul(x, ops.toDtype(scale, x.dtype)), ops.toDtype(min, x.dtype)));
  }

  clone(changes: Params = {}): MinMaxScaler {
    return new MinMaxScaler(changed(this.name, this.params, changes));
  }

  state(): EstimatorState {
    return {
      params: this.params,
      tensors: new Map(Object.entries(fitted(this.name, this.#fitted))),
    };
  }

  static from(state: EstimatorState): MinMaxScaler {
    const scaler = new MinMaxScaler(state.params);
    scaler.#fitted = stateTensors(scaler.name, state, keys);
    return scaler;
  }

  [Symbol.dispose](): void {
    disposeTensors(this.#fitted);
    this.#fitted = undefined;
  }
}
