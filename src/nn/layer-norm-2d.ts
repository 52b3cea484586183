import { ops, scope, type Tensor } from "../tensor/index.ts";
import { LayerNorm } from "./layer-norm.ts";

/**
 * Normalises the channels of each position of [N, C, H, W]; in channels_last the permutations are views.
 * Answers in the map's dtype, so that under autocast what goes on is no wider than what came.
 */
export class LayerNorm2d extends LayerNorm {
  override forward(x: Tensor): Tensor {
    return scope(() => {
      const y = super.forward(ops.permute(x, [0, 2, 3, 1]));
      return ops.permute(ops.toDtype(y, x.dtype), [0, 3, 1, 2]);
    });
  }
}
