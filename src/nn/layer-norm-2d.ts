import { ops, scope, type Tensor } from "../tensor/index.ts";
import { LayerNorm } from "./layer-norm.ts";

/** Normalises the channels of each position of [N, C, H, W]; in channels_last the permutations are views. */
export class LayerNorm2d extends LayerNorm {
  override forward(x: Tensor): Tensor {
    return scope(() => ops.permute(super.forward(ops.permute(x, [0, 2, 3, 1])), [0, 3, 1, 2]));
  }
}
