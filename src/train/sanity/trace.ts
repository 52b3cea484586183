import type { Batch } from "../../data/loader.ts";
import type { Classifier } from "../../models/index.ts";
import { type Compute, forward, onDevice } from "../../models/predict.ts";
import { observeForward } from "../../nn/index.ts";
import { scope } from "../../tensor/index.ts";

/**
 * Where the gradient's path from the loss to trained parameters is cut, in words; undefined where every module's output
 * carries one. One forward pass.
 */
export function whereDetached(
  model: Classifier,
  batch: Batch,
  compute: Compute,
): { readonly module: string; readonly text: string } | undefined {
  const names = new Map(
    model.namedModules().map(([name, module]) => [module, name || "the model"]),
  );
  let before: string | undefined;
  let found: { module: string; text: string } | undefined;
  scope(() => {
    observeForward(
      model,
      () => void forward(model, onDevice(batch.images, compute.device), compute),
      (module, input, output) => {
        if (found !== undefined) return;
        const name = names.get(module)!;
        const trains = module.parameters().some(({ requiresGrad }) => requiresGrad);
        // Of a block, the first layer's input is the same, and was seen before the block's own output.
        const isLayer = module.children().length === 0;
        if (isLayer && trains && before !== undefined && !input.requiresGrad) {
          found = { module: name, text: `between ${before} and ${name}` };
        }
        if ((trains || input.requiresGrad) && !output.requiresGrad) {
          found = { module: name, text: `by ${name}, whose output carries no gradient` };
        }
        if (output.requiresGrad) before = name;
      },
    );
  });
  return found;
}
