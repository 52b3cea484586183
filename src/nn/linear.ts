import { type Generator, ops, type Tensor } from "../tensor/index.ts";
import { biasUniform_, kaimingUniform_ } from "./init.ts";
import { lasting, Module, Parameter } from "./module.ts";

/** [..., in] → [..., out]. Initialised as torch.nn.Linear, with the same generator calls. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    inFeatures: number,
    outFeatures: number,
    options: { random: Generator; bias?: boolean },
  ) {
    super();
    const { random, bias = true } = options;
    this.weight = lasting(() => new Parameter(ops.empty([outFeatures, inFeatures])));
    kaimingUniform_(this.weight, random, { a: Math.sqrt(5) });
    this.bias = bias ? lasting(() => new Parameter(ops.empty([outFeatures]))) : null;
    if (this.bias) biasUniform_(this.bias, this.weight, random);
  }

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, { bias: this.bias });
  }
}
