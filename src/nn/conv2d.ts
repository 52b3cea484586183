import { type Generator, ops, type Tensor } from "../tensor/index.ts";
import { biasUniform_, kaimingUniform_ } from "./init.ts";
import { lasting, Module, Parameter } from "./module.ts";

export interface Conv2dOptions {
  readonly random: Generator;
  readonly stride?: number | readonly number[];
  readonly padding?: number | readonly number[];
  readonly dilation?: number | readonly number[];
  readonly groups?: number;
  readonly bias?: boolean;
}

/** [N, in, H, W] → [N, out, H', W']. Initialised as torch.nn.Conv2d, with the same generator calls. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly stride: number | readonly number[];
  readonly padding: number | readonly number[];
  readonly dilation: number | readonly number[];
  readonly groups: number;

  constructor(inChannels: number, outChannels: number, kernelSize: number, options: Conv2dOptions) {
    super();
    const { random, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    this.weight = lasting(
      () => new Parameter(ops.empty([outChannels, inChannels / groups, kernelSize, kernelSize])),
    );
    kaimingUniform_(this.weight, random, { a: Math.sqrt(5) });
    this.bias = bias ? lasting(() => new Parameter(ops.empty([outChannels]))) : null;
    if (this.bias) biasUniform_(this.bias, this.weight, random);
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, dilation, groups } = this;
    return ops.conv2d(x, this.weight, { bias, stride, padding, dilation, groups });
  }
}
