import type { Tensor } from "../tensor/index.ts";
import { BatchNorm2d } from "./batch-norm.ts";
import type { Module } from "./module.ts";

/** A module's forward pass: `run` computes it, and what it gives must be handed on. */
export type AroundForward = (module: Module, input: Tensor, run: () => Tensor) => Tensor;

/** Runs `body` with every forward pass of a module inside `model` going through `around`. */
export function aroundForward(model: Module, body: () => void, around: AroundForward): void {
  const methods = ["forward", "forwardReluMaxPool"] as const;
  const observed = model.namedModules().map(([, module]) => module);
  for (const module of observed) {
    for (const method of methods) {
      if (method !== "forward" && !(module instanceof BatchNorm2d)) continue;
      const own = (module as BatchNorm2d)[method];
      // An own property hides the class's method, and its deletion shows it again. Not enumerable:
      // a module's enumerable properties are its parameters and children.
      Object.defineProperty(module, method, {
        configurable: true,
        value: (x: Tensor, ...rest: []): Tensor =>
          around(module, x, () => own.call(module, x, ...rest)),
      });
    }
  }
  try {
    body();
  } finally {
    for (const module of observed) {
      for (const method of methods) Reflect.deleteProperty(module, method);
    }
  }
}

/**
 * Runs `body` and tells of every forward pass of a module inside `model`, in the order in which they
 * end. The tensors are the very objects that went in and came out, still alive.
 */
export function observeForward(
  model: Module,
  body: () => void,
  observer: (module: Module, input: Tensor, output: Tensor) => void,
): void {
  aroundForward(model, body, (module, input, run) => {
    const output = run();
    observer(module, input, output);
    return output;
  });
}
