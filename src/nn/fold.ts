import { inference, scope, type Tensor } from "../tensor/index.ts";
import { BatchNorm2d } from "./batch-norm.ts";
import { Conv2d } from "./conv2d.ts";
import type { Module } from "./module.ts";

/**
 * Folds each BatchNorm2d into the Conv2d that makes its input, for evaluation alone: one pass over
 * memory less a layer, and other last bits. Which belong together is seen in a forward pass of `sample`,
 * so that no architecture has to say it. A convolution's output must go to its norm alone.
 */
export function foldBatchNorms(model: Module, sample: Tensor): void {
  const madeBy = new WeakMap<Tensor, Conv2d>();
  const pairs = new Map<BatchNorm2d, Conv2d>();
  const watched: Module[] = [];
  const watch = <M extends Conv2d | BatchNorm2d>(
    module: M,
    forward: (x: Tensor, own: (x: Tensor) => Tensor) => Tensor,
    method: "forward" | "forwardReluMaxPool" = "forward",
  ): void => {
    const own = (module as unknown as Record<typeof method, (x: Tensor) => Tensor>)[method];
    watched.push(module);
    Object.defineProperty(module, method, {
      value: (x: Tensor) => forward(x, own.bind(module)),
      configurable: true,
      enumerable: false,
    });
  };
  for (const [, module] of model.namedModules()) {
    if (module instanceof Conv2d) {
      watch(module, (x, own) => {
        const y = own(x);
        madeBy.set(y, module);
        return y;
      });
    } else if (module instanceof BatchNorm2d) {
      for (const method of ["forward", "forwardReluMaxPool"] as const) {
        watch(
          module,
          (x, own) => {
            const conv = madeBy.get(x);
            if (conv !== undefined) pairs.set(module, conv);
            return own(x);
          },
          method,
        );
      }
    }
  }
  try {
    inference(() => scope(() => void model.forward(sample)));
  } finally {
    for (const module of watched) {
      Reflect.deleteProperty(module, "forward");
      Reflect.deleteProperty(module, "forwardReluMaxPool");
    }
  }
  for (const [norm, conv] of pairs) norm.foldInto(conv);
}
