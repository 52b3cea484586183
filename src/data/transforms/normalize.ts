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

/**
 * {@link normalize} of packed pixels [N, H, W, C], uint8 → float32 [N, C, H, W] in channels_last. Whole
 * rows are scaled at once: three times as fast as a broadcast over so short a dimension as C.
 */
export function normalizePacked(pixels: Tensor, { mean, std }: Normalization): Tensor {
  const [n, h, w, c] = pixels.shape as [number, number, number, number];
  return scope(() => {
    const tiled = (value: (channel: number) => number): Tensor =>
      Tensor.from(
        Float32Array.from({ length: w * c }, (_, i) => value(i % c)),
        [w * c],
      );
    const rows = ops.toDtype(ops.reshape(pixels, [n * h, w * c]), "float32");
    ops.mul_(
      rows,
      tiled((i) => 1 / (255 * std[i]!)),
    );
    ops.sub_(
      rows,
      tiled((i) => mean[i]! / std[i]!),
    );
    return ops.permute(ops.reshape(rows, [n, h, w, c]), [0, 3, 1, 2]);
  });
}
