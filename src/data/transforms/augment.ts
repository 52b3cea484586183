import { ops, scope, Tensor } from "../../tensor/index.ts";
import type { RandomStream } from "../random.ts";

/** Changes made to a training batch; each image gets its own draws, from a stream of its own. */
export interface Augmentation {
  /** Pixels of black padding on every side before a random crop of the original size; 0: none. */
  readonly crop: number;
  /** Mirror half of the images left to right. */
  readonly flip: boolean;
  /** Largest rotation in degrees, either way, about the centre; nearest pixel, black outside; 0: none. */
  readonly rotation: number;
}

/**
 * Random crops and mirrorings of uint8 images [N, C, H, W] (`RandomCrop(size, padding)` and
 * `RandomHorizontalFlip` of torchvision), by one gather over the batch.
 */
export function cropAndFlip(
  images: Tensor,
  { crop, flip }: Pick<Augmentation, "crop" | "flip">,
  randomOf: (image: number) => RandomStream,
): Tensor {
  if (crop === 0 && !flip) return images;
  const [n, , h, w] = images.shape as [number, number, number, number];
  const rows = new BigInt64Array(n * h);
  const columns = new BigInt64Array(n * w);
  for (let i = 0; i < n; i++) {
    const random = randomOf(i);
    const top = crop > 0 ? random.int(0, 2 * crop + 1) : 0;
    const left = crop > 0 ? random.int(0, 2 * crop + 1) : 0;
    const mirrored = flip && random.int(0, 2) === 1;
    for (let y = 0; y < h; y++) rows[i * h + y] = BigInt(top + y);
    for (let x = 0; x < w; x++) columns[i * w + x] = BigInt(left + (mirrored ? w - 1 - x : x));
  }
  return scope(() => {
    const padded = crop > 0 ? ops.constantPadNd(images, [crop, crop, crop, crop]) : images;
    const image = ops.reshape(ops.arange(0, n, { dtype: "int64" }), [n, 1, 1]);
    const gathered = ops.index(padded, [
      image,
      null,
      Tensor.from(rows, [n, h, 1]),
      Tensor.from(columns, [n, 1, w]),
    ]);
    // Indices on both sides of a slice: the result is [N, H, W, C].
    return ops.permute(gathered, [0, 3, 1, 2]);
  });
}

/** Random rotations of float images [N, C, H, W] (`RandomRotation(degrees)` of torchvision). */
export function rotate(
  images: Tensor,
  { rotation }: Pick<Augmentation, "rotation">,
  randomOf: (image: number) => RandomStream,
): Tensor {
  if (rotation === 0) return images;
  const [n, , h, w] = images.shape as [number, number, number, number];
  const matrices = new Float32Array(n * 6);
  for (let i = 0; i < n; i++) {
    const angle = (randomOf(i).uniform(-rotation, rotation) * Math.PI) / 180;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    // Coordinates run from -1 to 1 on both axes, so that a picture that is not square needs its ratio.
    matrices.set([cos, (-sin * h) / w, 0, (sin * w) / h, cos, 0], i * 6);
  }
  return scope(() => {
    const theta = Tensor.from(matrices, [n, 2, 3]);
    const grid = ops.affineGridGenerator(theta, [...images.shape], false);
    return ops.gridSampler(images, grid, NEAREST, ZEROS, false);
  });
}

// ATen's enumerations of interpolation and padding modes (GridSamplerUtils.h).
const NEAREST = 1;
const ZEROS = 0;
