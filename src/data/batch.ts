import {
  type Handle,
  inMemoryFormat,
  type MemoryFormat,
  ops,
  scope,
  Tensor,
} from "../tensor/index.ts";
import { fitPlanes, type ImageFit } from "./files/fit.ts";
import { type RandomStream, sampleStreams } from "./random.ts";
import {
  type Augmentation,
  augmentImage,
  changesPixels,
  isAugmented,
} from "./transforms/augment.ts";
import { drawMix, type Mix, mixImages } from "./transforms/mix.ts";
import { type Normalization, normalize } from "./transforms/normalize.ts";
import { eraseRandomly } from "./transforms/random-erasing.ts";
import { planar } from "./transforms/raster.ts";

/** How rows of a split become batches: plain data, so that it can be sent to a worker. */
export interface BatchPlan extends Normalization {
  readonly memoryFormat: MemoryFormat;
  readonly augment?: Augmentation;
  /** Batches mixed with themselves, after everything else. */
  readonly mix?: Mix;
  /** How images are brought to one size; those in memory stay as they are without it. */
  readonly fit?: ImageFit;
  readonly seed: number;
}

/** A split's tensors, by handles that any thread may use. */
export interface SplitHandles {
  /** uint8 [count, C, H, W] */
  readonly images: Handle;
  /** int64 [count] */
  readonly labels: Handle;
}

/** Which batch: epoch and row decide an image's random draws, so that they do not depend on the batch. */
export interface BatchRequest {
  readonly epoch: number;
  readonly index: number;
  readonly rows: Int32Array;
}

/** Gathers, augments, resizes, normalises and mixes one batch: float32 [n, C, H, W] and int64 [n]. */
export function prepareBatch(
  split: { readonly images: Tensor; readonly labels: Tensor },
  plan: BatchPlan,
  request: BatchRequest,
): { images: Tensor; labels: Tensor } {
  const { rows, epoch } = request;
  return scope(() => {
    const picked = Tensor.from(rows, [rows.length]);
    const labels = ops.indexSelect(split.labels, 0, picked);
    const stored = ops.indexSelect(split.images, 0, picked);
    const { augment, fit } = plan;
    const isCropped = fit?.crop.kind === "random";
    const streams =
      isCropped || (augment && isAugmented(augment))
        ? Array.from(rows, sampleStreams(plan.seed, epoch))
        : [];
    // Random crops come first, as of photographs.
    const cropped = isCropped ? fitPlanes(stored, fit, streams) : stored;
    const changed = augmented(cropped, augment, streams);
    const images = normalize(fit && !isCropped ? fitPlanes(changed, fit) : changed, plan);
    finishBatch(images, plan, request, streams);
    return { images: inMemoryFormat(images, plan.memoryFormat), labels };
  });
}

/** uint8 [n, C, H, W], each image changed by its own stream. */
function augmented(
  images: Tensor,
  augment: Augmentation | undefined,
  streams: readonly RandomStream[],
): Tensor {
  if (augment === undefined || !changesPixels(augment)) return images;
  const [, channels, height, width] = images.shape as [number, number, number, number];
  const size = channels * height * width;
  const values = images.toArray("uint8");
  for (const [i, random] of streams.entries()) {
    const own = values.subarray(i * size, (i + 1) * size);
    augmentImage(planar(own, [channels, height, width]), augment, random);
  }
  return Tensor.borrow(values, images.shape);
}

/** What is done to normalised images [n, C, H, W], in place: erasing, then mixing. */
export function finishBatch(
  images: Tensor,
  { augment, mix, seed }: BatchPlan,
  { epoch, index }: BatchRequest,
  streams: readonly RandomStream[],
): void {
  if (augment?.erasing) eraseRandomly(images, augment.erasing, (i) => streams[i]!);
  if (mix === undefined) return;
  const [height, width] = [images.size(2), images.size(3)];
  mixImages(images, drawMix(mix, { seed, epoch, index }, [height, width]));
}
