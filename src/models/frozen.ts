import { Conv2d, foldBatchNorms, Linear } from "../nn/index.ts";
import { ops, scope } from "../tensor/index.ts";
import type { ComputeChoice } from "./compute.ts";
import type { Classifier } from "./spec.ts";

/**
 * Makes a model ready for forward passes alone, which then take a fraction of the time: batch norms
 * folded into their convolutions, and the weights of products converted to autocast's dtype once
 * instead of in every pass. It can no longer be trained, and its state dict is no longer its files'.
 *
 * @param input Channels, height and width of the images it will be given.
 */
export function freeze(
  model: Classifier,
  input: readonly [number, number, number],
  compute: ComputeChoice,
): void {
  model.eval();
  for (const parameter of model.parameters()) parameter.requiresGrad = false;
  scope(() => foldBatchNorms(model, ops.zeros([1, ...input], { device: compute.device })));
  const dtype = compute.autocast;
  for (const [, module] of model.namedModules()) {
    if (!(module instanceof Conv2d || module instanceof Linear) || module === model.head) continue;
    if (dtype !== null) module.to({ dtype, memoryFormat: compute.memoryFormat });
    for (const parameter of module.parameters()) parameter.requiresGrad = false;
  }
}
