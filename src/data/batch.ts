import {
  type Handle,
  inMemoryFormat,
  type MemoryFormat,
  ops,
  scope,
  Tensor,
} from "../tensor/index.ts";
import { fitPlanes, type ImageFit } from "./files/fit.ts";
import { sampleStreams } from "./random.ts";
import { type Augmentation, cropAndFlip, rotate } from "./transforms/augment.ts";
import { type Normalization, normalize } from "./transforms/normalize.ts";

/** How rows of a split become batches: plain data, so that it can be sent to a worker. */
export interface BatchPlan extends Normalization {
  readonly memoryFormat: MemoryFormat;
  readonly augment?: Augmentation;
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

/** Gathers, augments, resizes and normalises one batch: float32 [n, C, H, W] and int64 [n]. */
export function prepareBatch(
  split: { readonly images: Tensor; readonly labels: Tensor },
  plan: BatchPlan,
  { epoch, rows }: BatchRequest,
): { images: Tensor; labels: Tensor } {
  return scope(() => {
    const picked = Tensor.from(rows, [rows.length]);
    const labels = ops.indexSelect(split.labels, 0, picked);
    let images = ops.indexSelect(split.images, 0, picked);
    if (plan.augment) {
      const streamOf = sampleStreams(plan.seed, epoch);
      const streams = Array.from(rows, streamOf);
      const random = (image: number) => streams[image]!;
      images = cropAndFlip(images, plan.augment, random);
      if (plan.augment.rotation > 0) {
        images = rotate(ops.toDtype(images, "float32"), plan.augment, random);
      }
    }
    // Rotation takes the nearest pixel: what it gives are whole numbers.
    if (plan.fit) images = fitPlanes(ops.toDtype(images, "uint8"), plan.fit);
    return { images: inMemoryFormat(normalize(images, plan), plan.memoryFormat), labels };
  });
}
