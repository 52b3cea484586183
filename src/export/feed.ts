import type { SplitSet } from "../data/imageset.ts";
import { subset } from "../data/imageset.ts";
import { evaluationLoader, type NetworkInput } from "../run/input.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";
import type { ExportMetadata } from "./metadata.ts";
import type { OnnxSession, OrtArray } from "./session.ts";

/** Images of a set as a graph takes them, and the same as its model does. */
export interface FedBatch {
  readonly feed: OrtArray;
  /** Normalised [n, C, H, W]; freed when the next batch is asked for. */
  readonly images: Tensor;
  readonly labels: Int32Array;
}

export interface FeedOptions {
  readonly takes: ExportMetadata["takes"];
  readonly batchSize?: number | undefined;
  /** Images at most, spread over the whole set. */
  readonly limit?: number | undefined;
  readonly cache?: string | undefined;
}

/** A set's images batch by batch. */
export async function* feedOf(
  set: SplitSet,
  input: NetworkInput,
  { takes, limit, ...options }: FeedOptions,
): AsyncGenerator<FedBatch> {
  const chosen = limit === undefined || limit >= set.count ? set : spread(set, limit);
  await using loader = evaluationLoader(chosen, input, { memoryFormat: "contiguous", ...options });
  for await (const batch of loader.epoch(1)) {
    using images = batch.images;
    using labels = batch.labels;
    yield {
      feed: takes === "pixels" ? pixelsOf(images, input) : arrayOf(images),
      images,
      labels: Int32Array.from(labels.toArray("int64"), Number),
    };
  }
}

/** Every k-th image: sets are often in the order of their classes. */
export function spread(set: SplitSet, count: number): SplitSet {
  const rows = Int32Array.from({ length: count }, (_, i) => Math.floor((i * set.count) / count));
  return subset(set, rows);
}

function arrayOf(images: Tensor): OrtArray {
  return { data: images.toArray("float32"), shape: images.shape };
}

/** Normalised images back as uint8 [n, H, W, C]: what they were before is whole numbers. */
function pixelsOf(images: Tensor, { mean, std }: NetworkInput): OrtArray {
  const [n, c, h, w] = images.shape as [number, number, number, number];
  const values = scope(() => ops.contiguous(ops.permute(images, [0, 2, 3, 1])).toArray("float32"));
  const data = Uint8Array.from(values, (value, i) =>
    Math.max(0, Math.min(255, Math.round((value * std[i % c]! + mean[i % c]!) * 255))),
  );
  return { data, shape: [n, h, w, c] };
}

/** Which of a set's images a graph gets right, one by one. */
export async function hitsOf(
  session: OnnxSession,
  set: SplitSet,
  metadata: Pick<ExportMetadata, "input" | "takes" | "classes">,
  options: Omit<FeedOptions, "takes"> = {},
): Promise<boolean[]> {
  const { input, takes, classes } = metadata;
  const hits: boolean[] = [];
  for await (const { feed, labels } of feedOf(set, input, { takes, ...options })) {
    const { data } = await session.first(feed);
    for (const [row, label] of labels.entries()) {
      hits.push(classes[largest(data, row, classes.length)] === set.classes[label]);
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
