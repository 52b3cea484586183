import { UsageError } from "../errors.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";
import { checkFeatures, fitted, owned } from "./checks.ts";
import { changed, type EstimatorState, type Params, type Transformer } from "./estimator.ts";
import { disposeTensors, stateTensors } from "./state.ts";

export interface PCAParams {
  /** How many components, or below 1 the share of variance they are to explain; null: as many as there are. */
  readonly nComponents: number | null;
  /** Scale the components to variance 1. */
  readonly whiten: boolean;
}

const keys = [
  "mean",
  "components",
  "explainedVariance",
  "explainedVarianceRatio",
  "singularValues",
] as const;

/** Principal components by a full singular value decomposition in float64, signed as scikit-learn signs them. */
export class PCA implements Transformer {
  readonly name = "PCA";
  readonly params: PCAParams & Params;
  #fitted: Record<(typeof keys)[number], Tensor> | undefined;

  constructor({ nComponents = null, whiten = false }: Partial<PCAParams> = {}) {
    this.params = { nComponents, whiten };
  }

  fit(x: Tensor): this {
    checkFeatures(this.name, x);
    const most = Math.min(...x.shape);
    const { nComponents } = this.params;
    const isShare = nComponents !== null && nComponents > 0 && nComponents < 1;
    const isCount =
      nComponents === null ||
      (Number.isInteger(nComponents) && nComponents >= 1 && nComponents <= most);
    if (!isShare && !isCount) {
      throw new UsageError(`PCA: nComponents is ${nComponents}, and the data has ${most}`, {
        hint: `a whole number from 1 to ${most}, a share of the variance below 1, or null for all`,
      });
    }
    scope(() => {
      const wide = ops.toDtype(x, "float64");
      const mean = ops.meanDim(wide, { dim: 0 });
      const [u, s, vt] = ops.linalgSvd(ops.sub(wide, mean), { fullMatrices: false });
      // svd_flip: the entry of the left vector that is largest by size is positive.
      const at = ops.argmax(ops.abs(u), { dim: 0, keepdim: true });
      const signs = ops.sign(ops.t(ops.gather(u, 0, at)));
      const variance = ops.divScalar(ops.square(s), Math.max(1, x.size(0) - 1));
      const ratio = ops.div(variance, ops.sum(variance));
      const count = isShare ? reaching(ratio, nComponents) : (nComponents ?? most);
      const first = (tensor: Tensor) => owned(ops.narrow(tensor, 0, 0, count));
      this[Symbol.dispose]();
      this.#fitted = {
        mean: owned(mean),
        components: first(ops.mul(vt, signs)),
        explainedVariance: first(variance),
        explainedVarianceRatio: first(ratio),
        singularValues: first(s),
      };
    });
    return this;
  }

  /** [components, d] float64 */
  get components(): Tensor {
    return fitted(this.name, this.#fitted).components;
  }

  get mean(): Tensor {
    return fitted(this.name, this.#fitted).mean;
  }

  /** [components] float64, each divided by n − 1. */
  get explainedVariance(): Tensor {
    return fitted(this.name, this.#fitted).explainedVariance;
  }

  get explainedVarianceRatio(): Tensor {
    return fitted(this.name, this.#fitted).explainedVarianceRatio;
  }

  get singularValues(): Tensor {
    return fitted(this.name, this.#fitted).singularValues;
  }

  transform(x: Tensor): Tensor {
    const { mean, components, explainedVariance } = fitted(this.name, this.#fitted);
    checkFeatures(this.name, x, components.size(1));
    return scope(() => {
      const centred = ops.sub(x, ops.toDtype(mean, x.dtype));
      const projected = ops.mm(centred, ops.t(ops.toDtype(components, x.dtype)));
      if (!this.params.whiten) return projected;
      return ops.div(projected, ops.toDtype(ops.sqrt(explainedVariance), x.dtype));
    });
  }

  clone(changes: Params = {}): PCA {
    return new PCA(changed(this.name, this.params, changes));
  }

  state(): EstimatorState {
    return {
      params: this.params,
      tensors: new Map(Object.entries(fitted(this.name, this.#fitted))),
    };
  }

  static from(state: EstimatorState): PCA {
    const pca = new PCA(state.params);
    pca.#fitted = stateTensors(pca.name, state, keys);
    return pca;
  }

  [Symbol.dispose](): void {
    disposeTensors(this.#fitted);
    this.#fitted = undefined;
  }
}

/** How many components explain more than the share. */
function reaching(ratio: Tensor, share: number): number {
  const sums = ops.cumsum(ratio, 0).toArray("float64");
  const index = sums.findIndex((sum) => sum > share);
  return index === -1 ? sums.length : index + 1;
}
