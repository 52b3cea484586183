import type { Tensor } from "../tensor/index.ts";
import { chain } from "./chain.ts";
import { Module } from "./module.ts";

/** Modules one after the other; their keys are their positions. Each one's input is freed after it. */
export class Sequential extends Module {
  readonly #modules: Module[];

  constructor(...modules: Module[]) {
    super();
    this.#modules = modules;
  }

  override children(): [string, Module][] {
    return this.#modules.map((module, i) => [String(i), module]);
  }

  get length(): number {
    return this.#modules.length;
  }

  [Symbol.iterator](): Iterator<Module> {
    return this.#modules[Symbol.iterator]();
  }

  forward(x: Tensor): Tensor {
    return chain(x, ...this.#modules);
  }
}

/** What a layer that is not there is replaced by. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
