import { ops, scope, type Tensor } from "../tensor/index.ts";
import { lasting, Module, Parameter } from "./module.ts";

/** Normalises the last dimension of [..., features]. (Ba et al. 2016) */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly features: number;
  readonly eps: number;

  constructor(features: number, options: { eps?: number } = {}) {
    super();
    this.features = features;
    this.eps = options.eps ?? 1e-5;
    this.weight = lasting(() => new Parameter(ops.ones([features])));
    this.bias = lasting(() => new Parameter(ops.zeros([features])));
  }

  /** Computes in the parameters' dtype: in bf16 libtorch 1.13's kernel takes seven times as long. */
  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    if (x.dtype === weight.dtype) return ops.layerNorm(x, [this.features], { weight, bias, eps });
    return scope(() => {
      const wide = ops.toDtype(x, weight.dtype);
      return ops.toDtype(ops.layerNorm(wide, [this.features], { weight, bias, eps }), x.dtype);
    });
  }
}
