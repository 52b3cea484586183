import { scope, type Tensor } from "../tensor/index.ts";
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
    let y = x;
    for (const module of this.#modules) {
      const input = y;
      y = scope(() => module.forward(input));
      if (input !== x && input !== y) input.dispose();
    }
    return y;
  }
}

/** What a layer that is not there is replaced by. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
