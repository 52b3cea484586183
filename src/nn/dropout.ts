import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";

/**
 * Zeroes each element with probability `p` in training and scales the rest by 1/(1-p). The mask is
 * drawn from the given generator (`aten::dropout` takes none) by the calls that PyTorch makes itself,
 * so that it is the same mask for the same state. (Srivastava et al. 2014)
 */
export class Dropout extends Module {
  readonly p: number;
  readonly #random: Generator;

  constructor(p: number, options: { random: Generator }) {
    super();
    this.p = p;
    this.#random = options.random;
  }

  forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x;
    return scope(() => {
      const kept = ops.bernoulli_(ops.emptyLike(x), { p: 1 - this.p, generator: this.#random });
      return ops.mul(x, ops.div_Scalar(kept, 1 - this.p));
    });
  }
}
