import type { Classifier } from "../../models/index.ts";
import { grad, ops, scope, type Tensor, unscoped } from "../../tensor/index.ts";

/**
 * Where in its last feature map a network finds its evidence for the classes it names: images [N, C, H, W] → maps
 * [N, H', W'] ≥ 0, and the probabilities [N, classes]. (Selvaraju et al. 2017, eq. 1 and 2)
 */
export function gradCam(
  model: Classifier,
  images: Tensor,
): { readonly maps: Tensor; readonly probabilities: Tensor } {
  return scope(() => {
    let features: Tensor | undefined;
    const { features: own } = model;
    // An own property hides the class's method. Outside of the scopes of the forward pass, which would free the map.
    Object.defineProperty(model, "features", {
      configurable: true,
      value: (x: Tensor): Tensor => {
        features = unscoped(() => own.call(model, x));
        return features;
      },
    });
    try {
      const logits = model.forward(images);
      if (features === undefined) throw new TypeError("the model's head does not see its features");
      const highest = ops.sum(ops.amax(logits, { dim: 1 }));
      const [gradient] = grad([highest], [features]) as [Tensor];
      const map = channelsFirst(features);
      const weights = ops.meanDim(channelsFirst(gradient), { dim: [2, 3], keepdim: true });
      const maps = ops.relu(ops.sumDim(ops.mul(weights, map), { dim: 1 }));
      return { maps: ops.detach(maps), probabilities: ops.softmax(ops.detach(logits), 1) };
    } finally {
      Reflect.deleteProperty(model, "features");
      features?.dispose();
    }
  });
}

/** [N, channels, H, W], or a square sequence of tokens [N, tokens, channels], as the former. */
function channelsFirst(x: Tensor): Tensor {
  if (x.shape.length === 4) return x;
  const [batch, tokens, width] = x.shape as [number, number, number];
  const side = Math.round(Math.sqrt(tokens));
  if (side * side !== tokens) throw new RangeError(`${tokens} tokens are no square map`);
  return ops.reshape(ops.transpose(x, 1, 2), [batch, width, side, side]);
}
