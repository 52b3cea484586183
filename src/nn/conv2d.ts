import { autocastDtype, type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
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
    const { padding } = this;
    if (padding !== "same") return this.#convolve(x, padding);
    const [top, bottom] = this.#samePadding(x, 0);
    const [left, right] = this.#samePadding(x, 1);
    if (top === bottom && left === right)
      return this.#convolve(x, top === left ? top : [top, left]);
    return scope(() => this.#convolve(ops.constantPadNd(x, [left, right, top, bottom]), 0));
  }

  #convolve(x: Tensor, padding: number | readonly number[]): Tensor {
    const { weight, bias, stride, dilation, groups } = this;
    if (typeof stride === "number" && typeof padding === "number" && this.#isDepthwiseIn(x)) {
      return ops.depthwiseConv2d(x, weight, { bias, stride, padding });
    }
    return ops.conv2d(x, weight, { bias, stride, padding, dilation, groups });
  }

  /** One kernel a channel, and training in bf16 on the CPU: the addon's backward pass is many times as fast. */
  #isDepthwiseIn(x: Tensor): boolean {
    const { weight, groups, dilation } = this;
    return (
      groups > 1 &&
      groups === x.size(1) &&
      groups === weight.size(0) &&
      dilation === 1 &&
      this.training &&
      x.device === "cpu" &&
      autocastDtype("cpu") === "bfloat16" &&
      weight.dtype === "float32"
    );
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
