import type { Tensor } from "../tensor/index.ts";
import { BatchNorm2d } from "./batch-norm.ts";
import type { Module } from "./module.ts";

/**
 * Runs `body` and tells of every forward pass of a module inside `model`, in the order in which they
 * end. The tensors are the very objects that went in and came out, still alive.
 */
export function observeForward(
  model: Module,
  body: () => void,
  observer: (module: Module, input: Tensor, output: Tensor) => void,
): void {
  using _hooks = aroundForward(model, (_name, module, x, pass) => {
    const y = pass();
    observer(module, x, y);
    return y;
  });
  body();
}

/**
 * Until the result is disposed, every forward pass of `model` and of the modules inside goes through `around`,
 * which runs it by `pass` and returns what that gives. A module that is not hooked pays nothing.
 */
export function aroundForward(
  model: Module,
  around: (name: string, module: Module, input: Tensor, pass: () => Tensor) => Tensor,
): Disposable {
  const methods = ["forward", "forwardRelu", "forwardReluMaxPool"] as const;
  const hooked = model.namedModules();
  for (const [name, module] of hooked) {
    for (const method of methods) {
      if (method !== "forward" && !(module instanceof BatchNorm2d)) continue;
      const own = (module as BatchNorm2d)[method];
      // An own property hides the class's method, and its deletion shows it again. Not enumerable:
      // a module's enumerable properties are its parameters and children.
      Object.defineProperty(module, method, {
        configurable: true,
        value: (x: Tensor, ...rest: [residual?: Tensor]): Tensor =>
          around(name, module, x, () => own.call(module, x, ...rest)),
      });
    }
  }
  return {
    [Symbol.dispose]: () => {
      for (const [, module] of hooked) {
        for (const method of methods) Reflect.deleteProperty(module, method);
      }
    },
  };
}
