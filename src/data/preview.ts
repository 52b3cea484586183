import type { ImageFit } from "./files/fit.ts";
import type { SplitSet } from "./imageset.ts";
import { Loader, type LoaderOptions } from "./loader.ts";
import type { Augmentation } from "./transforms/augment.ts";
import type { Normalization } from "./transforms/normalize.ts";

/** 8-bit pixels: grey [height, width] or RGB [height, width, 3]. */
export interface PreviewImage {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** An image as it is, and as the epochs would have it. */
export interface PreviewRow {
  /** Its row in the training split. */
  readonly row: number;
  readonly className: string;
  readonly original: PreviewImage;
  /** One an epoch. */
  readonly draws: readonly PreviewImage[];
}

export interface PreviewOptions extends Normalization {
  readonly augment: Augmentation;
  /** How images are brought to one size for training, and for judging; absent: they have it. */
  readonly fits: { readonly train: ImageFit | undefined; readonly original: ImageFit | undefined };
  readonly seed: number;
  /** The first epoch, and how many. */
  readonly epoch: number;
  readonly draws: number;
  readonly images: number;
}

/** Training images of every class in turn, drawn by the loader itself and taken back to pixels. */
export async function previewAugmentation(
  train: SplitSet,
  { augment, fits, seed, epoch, draws, images, mean, std }: PreviewOptions,
): Promise<PreviewRow[]> {
  const rows = rowsByClass(train, images);
  const plan = { mean, std, seed, memoryFormat: "contiguous", batchSize: rows.length } as const;
  const read = async (options: Partial<LoaderOptions>, epochs: number[]) => {
    await using loader = new Loader(train, { ...plan, ...options, workers: 1 });
    const batches: PreviewImage[][] = [];
    for (const number of epochs) batches.push(await imagesOf(loader, rows, number, plan));
    return batches;
  };
  const epochs = Array.from({ length: draws }, (_, i) => epoch + i);
  const [originals] = await read({ ...(fits.original && { fit: fits.original }) }, [1]);
  const drawn = await read({ augment, ...(fits.train && { fit: fits.train }) }, epochs);
  return Array.from(rows, (row, i) => ({
    row,
    className: train.classes[train.labels[row]!]!,
    original: originals![i]!,
    draws: drawn.map((batch) => batch[i]!),
  }));
}

/** These images as judging sees them, taken back to pixels. `fit` brings those in files to one size. */
export async function picturesOf(
  set: SplitSet,
  rows: Int32Array,
  { mean, std, fit }: Normalization & { readonly fit: ImageFit | undefined },
): Promise<PreviewImage[]> {
  const plan = { mean, std, seed: 0, memoryFormat: "contiguous", ...(fit && { fit }) } as const;
  await using loader = new Loader(set, { ...plan, batchSize: rows.length, workers: 1 });
  return await imagesOf(loader, rows, 1, plan);
}

/** The first image of each class, then the second of each, and so on. */
function rowsByClass({ labels, classes, count }: SplitSet, images: number): Int32Array {
  const ofClass: number[][] = classes.map(() => []);
  for (let row = 0; row < count; row++) ofClass[labels[row]!]!.push(row);
  const inTurn: number[] = [];
  for (let i = 0; inTurn.length < Math.min(images, count); i++) {
    inTurn.push(...ofClass.flatMap((rows) => rows[i] ?? []));
  }
  return Int32Array.from(inTurn.slice(0, images));
}

async function imagesOf(
  loader: Loader,
  rows: Int32Array,
  epoch: number,
  { mean, std }: Normalization,
): Promise<PreviewImage[]> {
  const batch = await loader.batchOf(rows, epoch);
  using images = batch.images;
  using _labels = batch.labels;
  const [, channels, height, width] = images.shape as [number, number, number, number];
  const values = images.toArray("float32");
  const plane = height * width;
  return Array.from(rows, (_, n) => {
    const pixels = new Uint8ClampedArray(channels * plane);
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < plane; i++) {
        const value = values[(n * channels + c) * plane + i]!;
        // A clamped array rounds.
        pixels[i * channels + c] = 255 * (value * std[c]! + mean[c]!);
      }
    }
    return { pixels: new Uint8Array(pixels.buffer), width, height };
  });
}
