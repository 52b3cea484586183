import type { Classifier } from "../../models/index.ts";
import { grad, ops, scope, type Tensor } from "../../tensor/index.ts";

/**
 * Where in its last feature map a network finds its evidence for the classes it names: images [N, C, H, W] → maps
 * [N, H', W'] ≥ 0, and the probabilities [N, classes]. (Selvaraju et al. 2017, eq. 1 and 2)
 */
export function gradCam(
  model: Classifier,
  images: Tensor,
): { readonly maps: Tensor; readonly probabilities: Tensor } {
  return scope(() => {
    if (model.pool === undefined) throw new TypeError("the model's head does not see its features");
    const features = model.features(images);
    const logits = model.head.forward(model.pool(features));
    const highest = ops.sum(ops.amax(logits, { dim: 1 }));
    const [gradient] = grad([highest], [features]) as [Tensor];
    const weights = ops.meanDim(gradient, { dim: [2, 3], keepdim: true });
    const maps = ops.relu(ops.sumDim(ops.mul(weights, features), { dim: 1 }));
    return { maps: ops.detach(maps), probabilities: ops.softmax(ops.detach(logits), 1) };
  });
}
