import { ops, type Tensor } from "../tensor/index.ts";
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

  forward(x: Tensor): Tensor {
    return ops.layerNorm(x, [this.features], {
      weight: this.weight,
      bias: this.bias,
      eps: this.eps,
    });
  }
}
