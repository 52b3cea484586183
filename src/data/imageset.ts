import { ThawError } from "../errors.ts";
import type { FileImageSet } from "./fileset.ts";
import type { SplitName } from "./folders/listing.ts";
import type { PixelRange } from "./images/levels.ts";

/** Images of one size held in memory as uint8, with one label each. */
export interface ImageSet {
  /** [count, channels, height, width] in 0..255. May be a view of a larger buffer: never write to it. */
  readonly images: Uint8Array;
  /** [count], indices into `classes`. */
  readonly labels: Uint8Array | Int32Array;
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly classes: readonly string[];
  /** [count], the row of each image in the source's own split (absent: row i is image i). */
  readonly indices?: Int32Array;
  /** What became black and white of files of more than 8 bits a sample, where that was given. */
  readonly pixelRange?: PixelRange | undefined;
}

/** One split, in memory or in files. */
export type SplitSet = ImageSet | FileImageSet;

interface SplitsInfo {
  readonly name: string;
  /** sha256 over the content, the class list and which rows are in which split. */
  readonly fingerprint: string;
  /** A value a channel, of pixel/255: what batches are normalised with. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** For the user: where the data came from, odd counts, classes missing from a split. */
  readonly notes: readonly string[];
  /** Absent for splits made by hand. */
  readonly origin?: SplitOrigin;
  /** Of a run's split: the images that are not in these sets, because they are missing or have changed. */
  readonly leftOut?: readonly LeftOut[];
  /** Images that are in no set, because they cannot be decoded. */
  readonly unusable?: readonly Unusable[];
}

/** Which images of its source each split has: rows of a whole that is in memory, or files. */
export type SplitOrigin =
  | {
      readonly kind: "rows";
      /** sha256 over the source's images and labels. */
      readonly content: string;
      /** The source's own split that each split's `indices` are rows of. */
      readonly of: Readonly<Record<SplitName, SplitName>>;
    }
  | {
      readonly kind: "files";
      readonly sets: Readonly<Record<SplitName, FileImageSet>>;
      /** Images that the source has, those in no split included. */
      readonly listed: number;
    };

/** An image that was left out because it cannot be decoded. */
export interface Unusable {
  /** Below the folder of the data, with slashes. */
  readonly file: string;
  readonly split: SplitName;
  readonly reason: string;
}

/** An image of a run's split that could not be used again. */
export interface LeftOut {
  readonly split: SplitName;
  /** Below the data's root. */
  readonly file: string;
  readonly why: string;
}

/** Small images of one size; mean and population standard deviation are the training split's own. */
export interface MemorySplits extends SplitsInfo {
  readonly kind: "memory";
  readonly train: ImageSet;
  /** Empty (count 0) where no validation was asked for. */
  readonly val: ImageSet;
  readonly test: ImageSet;
}

/** Photographs in their files. Mean and deviation are ImageNet's: to measure would be to decode all. */
export interface FileSplits extends SplitsInfo {
  readonly kind: "files";
  readonly train: FileImageSet;
  readonly val: FileImageSet;
  readonly test: FileImageSet;
}

/** What a run trains on, chooses its best epoch by, and is judged on. */
export type DatasetSplits = MemorySplits | FileSplits;

/** Bytes of one image: channels × height × width. */
export function imageBytes(set: Pick<ImageSet, "channels" | "height" | "width">): number {
  return set.channels * set.height * set.width;
}

/**
 * The images at `indices`, in that order. Of images in memory an unbroken ascending run is a view of
 * the same memory, everything else a copy.
 */
export function subset<S extends SplitSet>(set: S, indices: Int32Array): S {
  for (const index of indices) {
    if (index < 0 || index >= set.count) {
      throw new ThawError(`subset: index ${index} is outside a set of ${set.count} images`);
    }
  }
  const rows = {
    count: indices.length,
    indices: set.indices ? gather(set.indices, indices) : indices,
  };
  if (!("files" in set)) return { ...set, ...rows, ...pickImages(set, indices) };
  const pick = (values: readonly string[]) => Array.from(indices, (index) => values[index]!);
  const labels = gather(set.labels, indices);
  const names = set.names && { names: pick(set.names) };
  return { ...set, ...rows, ...names, labels, files: pick(set.files), stamps: pick(set.stamps) };
}

function pickImages(set: ImageSet, indices: Int32Array): Pick<ImageSet, "images" | "labels"> {
  const size = imageBytes(set);
  const count = indices.length;
  if (isRun(indices)) {
    const first = indices[0] ?? 0;
    return {
      images: set.images.subarray(first * size, (first + count) * size),
      labels: set.labels.subarray(first, first + count),
    };
  }
  const images = new Uint8Array(count * size);
  // One copy for each run of neighbours: a holdout of a tenth leaves runs of about ten images.
  for (let start = 0; start < count; ) {
    const first = indices[start]!;
    let end = start + 1;
    while (end < count && indices[end] === first + (end - start)) end++;
    images.set(set.images.subarray(first * size, (first + end - start) * size), start * size);
    start = end;
  }
  return { images, labels: gather(set.labels, indices) };
}

function isRun(indices: Int32Array): boolean {
  for (let i = 1; i < indices.length; i++) {
    if (indices[i] !== indices[i - 1]! + 1) return false;
  }
  return true;
}

function gather<T extends Uint8Array | Int32Array>(values: T, indices: Int32Array): T {
  const { length } = indices;
  const result = values instanceof Int32Array ? new Int32Array(length) : new Uint8Array(length);
  for (let i = 0; i < length; i++) result[i] = values[indices[i]!]!;
  return result as T;
}

/** [classes.length], how many images each class has. A label outside the class list is an error. */
export function classCounts(set: Pick<SplitSet, "labels" | "classes">, where: string): Int32Array {
  const counts = new Int32Array(set.classes.length);
  for (let i = 0; i < set.labels.length; i++) {
    const label = set.labels[i]!;
    if (label < 0 || label >= counts.length) {
      throw new ThawError(
        `${where}: image ${i} has label ${label}, but there are ${counts.length} classes (0 to ${counts.length - 1})`,
        { hint: "the labels and the class list do not belong together: check the data's source" },
      );
    }
    counts[label]!++;
  }
  return counts;
}
