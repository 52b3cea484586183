import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";

/**
 * Stochastic depth: in training, zeroes whole samples of a residual branch [N, ...] with probability
 * `rate` and scales the rest by 1/(1-rate); timm's `drop_path`, with the mask drawn from the given
 * generator. (Huang et al. 2016)
 */
export class DropPath extends Module {
  readonly rate: number;
  readonly #random: Generator;

  constructor(rate: number, options: { random: Generator }) {
    super();
    this.rate = rate;
    this.#random = options.random;
  }

  /** Does it do anything? Not in evaluation. */
  get drops(): boolean {
    return this.training && this.rate !== 0;
  }

  forward(x: Tensor): Tensor {
    if (!this.drops) return x;
    return scope(() => {
      const keep = 1 - this.rate;
      const shape = x.shape.map((size, dimension) => (dimension === 0 ? size : 1));
      const mask = ops.empty(shape, { dtype: x.dtype, device: x.device });
      ops.bernoulli_(mask, { p: keep, generator: this.#random });
      return ops.mul(x, keep === 0 ? mask : ops.div_Scalar(mask, keep));
    });
  }
}

/** The rate of each of `depth` blocks: linear from 0 at the first to `rate` at the last. */
export function dropPathRates(rate: number, depth: number): number[] {
  return Array.from({ length: depth }, (_, i) => (depth === 1 ? 0 : (rate * i) / (depth - 1)));
}
