import { inference, scope, type Tensor } from "../tensor/index.ts";
import { BatchNorm2d } from "./batch-norm.ts";
import { Conv2d } from "./conv2d.ts";
import type { Module } from "./module.ts";
import { observeForward } from "./observe.ts";

/**
 * Folds each BatchNorm2d into the Conv2d that makes its input, for evaluation alone: one pass over
 * memory less a layer, and other last bits. Which belong together is seen in a forward pass of `sample`,
 * so that no architecture has to say it. A convolution's output must go to its norm alone.
 */
export function foldBatchNorms(model: Module, sample: Tensor): void {
  const madeBy = new WeakMap<Tensor, Conv2d>();
  const pairs = new Map<BatchNorm2d, Conv2d>();
  const pass = () => inference(() => scope(() => void model.forward(sample)));
  observeForward(model, pass, (module, input, output) => {
    if (module instanceof Conv2d) madeBy.set(output, module);
    const conv = madeBy.get(input);
    if (!(module instanceof BatchNorm2d) || conv === undefined || module.isFolded) return;
    pairs.set(module, conv);
  });
  for (const [norm, conv] of pairs) norm.foldInto(conv);
}
