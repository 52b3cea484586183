import type { VisionTransformer } from "../../models/vit.ts";
import { Attention } from "../../models/vit-block.ts";
import { type Module, observeForward } from "../../nn/index.ts";
import { noGrad, ops, scope, type Tensor, unscoped } from "../../tensor/index.ts";

/**
 * How much of each patch arrives at the class token through the attention of all blocks: images [N, C, H, W] → maps
 * [N, rows, columns], and the probabilities [N, classes]. (Abnar & Zuidema 2020, §3)
 */
export function attentionRollout(
  model: VisionTransformer,
  images: Tensor,
): { readonly maps: Tensor; readonly probabilities: Tensor } {
  let flow: Tensor | undefined;
  // Outside of the scopes of the blocks, which would free what goes on to the next one.
  const observe = (module: Module, input: Tensor): void => {
    if (!(module instanceof Attention)) return;
    const before = flow;
    flow = unscoped(() => scope(() => rolled(module.weights(input), before)));
    before?.dispose();
  };
  try {
    return noGrad(() =>
      scope(() => {
        observeForward(model, () => model.features(images), observe);
        const [rows, columns] = model.grid;
        const toPatches = ops.narrow(ops.select(flow!, 1, 0), 1, 1, rows * columns);
        return {
          maps: ops.reshape(toPatches, [images.size(0), rows, columns]),
          probabilities: ops.softmax(model.forward(images), 1),
        };
      }),
    );
  } finally {
    flow?.dispose();
  }
}

/** The mean of the heads, half of it the shortcut, after what the earlier blocks have mixed: [N, tokens, tokens]. */
function rolled(weights: Tensor, before: Tensor | undefined): Tensor {
  const mean = ops.meanDim(weights, { dim: 1 });
  const half = ops.divScalar(ops.add(mean, ops.eye(mean.size(1), { device: mean.device })), 2);
  return before === undefined ? half : ops.matmul(half, before);
}
