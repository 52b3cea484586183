import { createHash } from "node:crypto";
import type { FileImageSet } from "./fileset.ts";
import { contentDigests } from "./folders/digests.ts";
import type { SplitName } from "./folders/listing.ts";
import { imagesDigest } from "./images-digest.ts";
import type { DatasetSplits, LeftOut, SplitSet } from "./imageset.ts";

/** An image in a file, as a run's split keeps it. */
export interface RecordedImage {
  /** Below the data's root, with forward slashes. */
  readonly file: string;
  /** Index into the split's classes. */
  readonly label: number;
  /** Of its content, in hex. */
  readonly sha256: string;
}

type OfEach<T> = Readonly<Record<SplitName, T>>;

/** Which image was for training, validation and test: what a run keeps of its data. */
export type RecordedSplit = {
  /** Of the data as the splits are now, without what was left out. */
  readonly fingerprint: string;
  readonly classes: readonly string[];
  /** Images that the run went on without. They are in no split any more. */
  readonly leftOut: readonly LeftOut[];
} & (
  | {
      /** Rows of data that are in memory as a whole. */
      readonly kind: "rows";
      readonly content: string;
      readonly splits: OfEach<{ readonly of: SplitName; readonly rows: Int32Array }>;
    }
  | {
      readonly kind: "files";
      /** Channels of small images that are held in memory; null for images that stay in their files. */
      readonly channels: number | null;
      /** Images that the source had, those in no split included. */
      readonly listed: number;
      readonly splits: OfEach<readonly RecordedImage[]>;
    }
  | {
      /** Splits that a program made itself: they can be recognised, not made again. */
      readonly kind: "given";
      readonly splits: OfEach<{ readonly count: number; readonly images: string }>;
    }
);

export const splitNames = ["train", "val", "test"] as const satisfies readonly SplitName[];

/** The same for each split. */
export function ofEach<T>(make: (split: SplitName) => T): Record<SplitName, T> {
  return { train: make("train"), val: make("val"), test: make("test") };
}

/**
 * What a run keeps of these splits. Images in files are read once for their digests, which stay in the cache.
 * @throws ThawError that names a file that cannot be read; StoppedError where the signal was aborted.
 */
export async function recordSplit(
  data: DatasetSplits,
  cache: string,
  signal?: AbortSignal,
): Promise<RecordedSplit> {
  const { fingerprint, origin } = data;
  const base = { fingerprint, classes: data.train.classes, leftOut: data.leftOut ?? [] };
  if (origin === undefined) {
    const splits = ofEach((split) => ({
      count: data[split].count,
      images: imagesDigest(data[split]),
    }));
    return { ...base, kind: "given", splits };
  }
  if (origin.kind === "rows") {
    const { content, of } = origin;
    const splits = ofEach((split) => ({ of: of[split], rows: rowsOf(data[split]) }));
    return { ...base, kind: "rows", content, splits };
  }
  const { sets, listed } = origin;
  const digests = await contentDigests(
    splitNames.map((split) => sets[split]),
    cache,
    signal,
  );
  const splits = ofEach((split) => imagesOf(sets[split], digests[splitNames.indexOf(split)]!));
  const channels = data.kind === "memory" ? data.train.channels : null;
  return { ...base, kind: "files", channels, listed, splits };
}

/** The fingerprint of splits that some images are left out of. */
export function fingerprintWithout(fingerprint: string, leftOut: readonly LeftOut[]): string {
  const images = leftOut.map(({ split, file }) => [split, file]);
  return createHash("sha256")
    .update(JSON.stringify([fingerprint, images]))
    .digest("hex");
}

function rowsOf({ indices, count }: SplitSet): Int32Array {
  return indices ?? Int32Array.from({ length: count }, (_, row) => row);
}

function imagesOf({ names, files, labels }: FileImageSet, digests: string[]): RecordedImage[] {
  return digests.map((sha256, i) => ({
    file: names?.[i] ?? files[i]!,
    label: labels[i]!,
    sha256,
  }));
}
