import { ops, scope, Tensor } from "../../tensor/index.ts";

/** A value a channel, of pixel/255. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Images of 0..255 [N, C, H, W], uint8 or float → float32, (pixel/255 - mean)/std. */
export function normalize(images: Tensor, { mean, std }: Normalization): Tensor {
  return scope(() => {
    const perChannel = [1, mean.length, 1, 1];
    const scale = Tensor.from(
      Float32Array.from(std, (s) => 1 / (255 * s)),
      perChannel,
    );
    const shift = Tensor.from(
      Float32Array.from(mean, (m, c) => m / std[c]!),
      perChannel,
    );
    const float = ops.toDtype(images, "float32", { copy: true });
    return ops.sub_(ops.mul_(float, scale), shift);
  });
}
