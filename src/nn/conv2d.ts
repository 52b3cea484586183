import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { biasUniform_, kaimingUniform_ } from "./init.ts";
import { lasting, Module, Parameter } from "./module.ts";

/**
 * Zeros at both ends of each axis; or `same`, TensorFlow's: as many as make the output ⌈size / stride⌉ wide, where an odd
 * number has one more at the bottom and right. How many depends on the image's size.
 */
export type Padding = number | readonly number[] | "same";

export interface Conv2dOptions {
  readonly random: Generator;
  readonly stride?: number | readonly number[];
  readonly padding?: Padding;
  readonly dilation?: number | readonly number[];
  readonly groups?: number;
  readonly bias?: boolean;
}

/** [N, in, H, W] → [N, out, H', W']. Initialised as torch.nn.Conv2d, with the same generator calls. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly stride: number | readonly number[];
  readonly padding: Padding;
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
    const { weight, bias, stride, padding, dilation, groups } = this;
    if (padding !== "same") {
      return ops.conv2d(x, weight, { bias, stride, padding, dilation, groups });
    }
    const [top, bottom] = this.#samePadding(x, 0);
    const [left, right] = this.#samePadding(x, 1);
    if (top === bottom && left === right) {
      return ops.conv2d(x, weight, { bias, stride, padding: [top, left], dilation, groups });
    }
    return scope(() => {
      const padded = ops.constantPadNd(x, [left, right, top, bottom]);
      return ops.conv2d(padded, weight, { bias, stride, dilation, groups });
    });
  }

  /** Zeros before and after the height (axis 0) or the width (1). */
  #samePadding(x: Tensor, axis: 0 | 1): readonly [before: number, after: number] {
    const of = (value: number | readonly number[]) =>
      typeof value === "number" ? value : value[axis]!;
    const [size, kernel, stride] = [x.size(2 + axis), this.weight.size(2 + axis), of(this.stride)];
    const reach = (Math.ceil(size / stride) - 1) * stride + (kernel - 1) * of(this.dilation) + 1;
    const zeros = Math.max(0, reach - size);
    return [zeros >> 1, zeros - (zeros >> 1)];
  }
}
