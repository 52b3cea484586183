import { classFinder } from "../data/class-names.ts";
import type { SplitSet } from "../data/imageset.ts";
import { subset } from "../data/imageset.ts";
import { evaluationLoader, type NetworkInput } from "../run/input.ts";
import type { Tensor } from "../tensor/index.ts";
import type { ExportMetadata } from "./metadata.ts";
import type { OnnxSession, OrtArray } from "./session.ts";

/** Images of a set as its model sees them. */
export interface JudgedBatch {
  /** Normalised [n, C, H, W]; freed when the next batch is asked for. */
  readonly images: Tensor;
  readonly labels: Int32Array;
  /** Which of the set's images the first one is. */
  readonly first: number;
}

export interface BatchOptions {
  readonly batchSize?: number | undefined;
  readonly cache?: string | undefined;
  /** Aborted: ends with a StoppedError before the next batch. */
  readonly signal?: AbortSignal | undefined;
}

/** A set's images batch by batch, in their order. */
export async function* batchesOf(
  set: SplitSet,
  input: NetworkInput,
  options: BatchOptions,
): AsyncGenerator<JudgedBatch> {
  await using loader = evaluationLoader(set, input, { memoryFormat: "contiguous", ...options });
  let first = 0;
  for await (const batch of loader.epoch(1)) {
    using images = batch.images;
    using labels = batch.labels;
    yield { images, labels: Int32Array.from(labels.toArray("int64"), Number), first };
    first += batch.size;
  }
}

/** So many images at most, every k-th: sets are often in the order of their classes. */
export function spread(set: SplitSet, most: number): SplitSet {
  if (most >= set.count) return set;
  const rows = Int32Array.from({ length: most }, (_, i) => Math.floor((i * set.count) / most));
  return subset(set, rows);
}

export function arrayOf(images: Tensor): OrtArray {
  return { data: images.toArray("float32"), shape: images.shape };
}

/** Which of a set's images a graph that takes normalised ones gets right, one by one. */
export async function hitsOf(
  session: OnnxSession,
  set: SplitSet,
  { input, classes }: Pick<ExportMetadata, "input" | "classes">,
  options: BatchOptions = {},
): Promise<boolean[]> {
  const hits: boolean[] = [];
  const own = set.classes.map(classFinder(classes));
  for await (const { images, labels } of batchesOf(set, input, options)) {
    const { data } = await session.first(arrayOf(images));
    for (const [row, label] of labels.entries()) {
      hits.push(largest(data, row, classes.length) === own[label]);
    }
  }
  return hits;
}

/** Where a row has its largest value. */
export function largest(values: ArrayLike<number>, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) {
    if (values[row * classes + c]! > values[row * classes + best]!) best = c;
  }
  return best;
}
