import { type Generator, scope, type Tensor } from "../tensor/index.ts";
import { GELU } from "./activations.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";

/** Two linear layers with a GELU between, [..., width] → [..., width]. (Vaswani et al. 2017, §3.3) */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly act = new GELU();
  readonly fc2: Linear;

  constructor(width: number, hidden: number, options: { random: Generator }) {
    super();
    this.fc1 = new Linear(width, hidden, options);
    this.fc2 = new Linear(hidden, width, options);
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const hidden = scope(() => this.act.forward(this.fc1.forward(x)));
      return this.fc2.forward(hidden);
    });
  }
}
