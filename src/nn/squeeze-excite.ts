import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import type { Activation } from "./activate.ts";
import { chain } from "./chain.ts";
import { Conv2d } from "./conv2d.ts";
import { Module } from "./module.ts";

export interface SqueezeExciteOptions {
  /** Channels between the two convolutions. */
  readonly squeezed: number;
  readonly activation: Activation;
  /** What makes weights between 0 and 1: the sigmoid or its piecewise linear form. */
  readonly gate: Activation;
  readonly random: Generator;
}

/** Weighs each channel of [N, C, H, W] by what all channels' means say. (Hu et al. 2018, §3; timm's names) */
export class SqueezeExcite extends Module {
  readonly conv_reduce: Conv2d;
  readonly conv_expand: Conv2d;
  readonly #activation: Activation;
  readonly #gate: Activation;

  constructor(channels: number, options: SqueezeExciteOptions) {
    super();
    const { squeezed, activation, gate, random } = options;
    this.conv_reduce = new Conv2d(channels, squeezed, 1, { random });
    this.conv_expand = new Conv2d(squeezed, channels, 1, { random });
    this.#activation = activation;
    this.#gate = gate;
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const means = ops.meanDim(x, { dim: [2, 3], keepdim: true });
      const { conv_reduce, conv_expand } = this;
      return ops.mul(x, chain(means, conv_reduce, this.#activation, conv_expand, this.#gate));
    });
  }
}
