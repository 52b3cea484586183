import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BatchSource } from "../data/loader.ts";
import { encodeSafetensors, readSafetensors, type TensorData } from "../models/weights/index.ts";
import { fromTensorData, toTensorData } from "../models/weights/tensors.ts";
import { writeWhole } from "../platform/durable.ts";
import { reasonOf } from "../platform/system-error.ts";
import { inference, ops, scope, type Tensor, unscoped } from "../tensor/index.ts";

/** What of a loader is used: the images in their own order, another view each epoch. */
export type FeatureSource = Pick<BatchSource, "count" | "batchSize" | "batches" | "epoch">;

export interface FeatureCacheOptions {
  /** Folder of all cached features. */
  readonly folder: string;
  /**
   * Everything that decides the numbers: digest of the backbone's weights, the images' fingerprint,
   * split and preprocessing, precision, augmentation and seed of the views.
   */
  readonly key: Readonly<Record<string, unknown>>;
  /** How often each image is seen, under other augmentation each time; 1 without any. */
  readonly views: number;
  /** [n, C, H, W] → [n, width] or maps, without gradients. */
  readonly embed: (images: Tensor) => Tensor;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

/** Batches whose features are computed, checked and written together: what an interruption costs at most. */
const SHARD = 16;

export interface CachedFeatures {
  /** Of every image in every view, [views · count, ...] by view. */
  readonly features: Tensor;
  /** What their computation took, now or when they were first kept. */
  readonly seconds: number;
}

/** A piece of the features, as it is kept. */
interface Shard {
  readonly features: Tensor;
  readonly seconds: number;
}

/** Features are read from the cache where they are there and whole, computed and kept where not. An interrupted computation goes on. */
export async function cachedFeatures(
  source: FeatureSource,
  options: FeatureCacheOptions,
): Promise<CachedFeatures> {
  const { views, onProgress, onNote } = options;
  const digest = createHash("sha256").update(JSON.stringify(options.key)).digest("hex");
  const folder = join(options.folder, digest.slice(0, 32));
  const shards = Math.ceil(source.batches / SHARD);
  const parts: Shard[] = [];
  let keeps = await prepareFolder(folder, options.key, onNote);
  try {
    for (let view = 1; view <= views; view++) {
      for (let shard = 0; shard < shards; shard++) {
        const path = join(folder, `view-${view}-${String(shard).padStart(5, "0")}.safetensors`);
        const first = shard * SHARD;
        const last = Math.min(first + SHARD, source.batches);
        const rows = Math.min(last * source.batchSize, source.count) - first * source.batchSize;
        let part = readShard(path, rows, onNote);
        if (part === undefined) {
          part = await computeShard(source, view, first, last, options.embed);
          if (keeps) keeps = await writeShard(path, part, onNote);
        }
        parts.push(part);
        onProgress?.(parts.length, views * shards);
      }
    }
    return {
      features: unscoped(() => ops.cat(parts.map(({ features }) => features))),
      seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0),
    };
  } finally {
    for (const { features } of parts) features.dispose();
  }
}

async function computeShard(
  source: FeatureSource,
  view: number,
  first: number,
  last: number,
  embed: (images: Tensor) => Tensor,
): Promise<Shard> {
  const rows: Tensor[] = [];
  const began = performance.now();
  try {
    for await (const batch of source.epoch(view, first)) {
      using images = batch.images;
      using _labels = batch.labels;
      // Out of inference mode again, where they could take no part in the head's training.
      const features = inference(() => scope(() => toTensorData(embed(images))));
      rows.push(unscoped(() => fromTensorData(features)));
      if (batch.index + 1 === last) break;
    }
    const features = unscoped(() => ops.cat(rows));
    return { features, seconds: (performance.now() - began) / 1000 };
  } finally {
    for (const row of rows) row.dispose();
  }
}

/** False where nothing can be kept, which is said. */
async function prepareFolder(
  folder: string,
  key: Readonly<Record<string, unknown>>,
  onNote: FeatureCacheOptions["onNote"],
): Promise<boolean> {
  return keep(onNote, async () => {
    const text = `${JSON.stringify(key, null, 2)}\n`;
    const isKept =
      existsSync(folder) && (await readdir(folder)).some((file) => SHARD_FILE.test(file));
    if (isKept && readKey(folder) !== text) {
      onNote?.(`${folder}: computed again: its key.json is not that of these features`);
      await rm(folder, { recursive: true });
    }
    if (!isKept) await noteOthers(folder, key, onNote);
    await writeWhole(join(folder, "key.json"), [Buffer.from(text)]);
  });
}

const SHARD_FILE = /^view-.*\.safetensors$/;
/** What else may have changed since features were kept, in words. */
const CHANGES = { weights: "weights", fingerprint: "data" } as const;

/** Why features are not there that a person may have expected. */
async function noteOthers(
  folder: string,
  key: Readonly<Record<string, unknown>>,
  onNote: FeatureCacheOptions["onNote"],
): Promise<void> {
  const all = dirname(folder);
  for (const name of existsSync(all) ? await readdir(all) : []) {
    const other = parseKey(readKey(join(all, name)));
    if (other === undefined) continue;
    const names = new Set([...Object.keys(key), ...Object.keys(other)]);
    const differing = [...names].filter(
      (one) => JSON.stringify(key[one]) !== JSON.stringify(other[one]),
    );
    const [only] = differing;
    if (differing.length !== 1 || !Object.hasOwn(CHANGES, only!)) continue;
    onNote?.(
      `the features kept are of other ${CHANGES[only as keyof typeof CHANGES]}: they are computed anew`,
    );
    return;
  }
}

function readKey(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, "key.json"), "utf8");
  } catch {
    return undefined;
  }
}

function parseKey(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const key: unknown = JSON.parse(text ?? "null");
    return typeof key === "object" && key !== null ? (key as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function writeShard(
  path: string,
  part: Shard,
  onNote: FeatureCacheOptions["onNote"],
): Promise<boolean> {
  const features = toTensorData(part.features);
  const { chunks } = encodeSafetensors(new Map([["features", features]]), {
    sha256: digestOf(features),
    seconds: String(part.seconds),
  });
  return keep(onNote, () => writeWhole(path, chunks));
}

/** A cache that cannot be written costs time, not the run. */
async function keep(
  onNote: FeatureCacheOptions["onNote"],
  write: () => Promise<void>,
): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    onNote?.(`features could not be cached: ${reasonOf(error)}`);
    return false;
  }
}

function readShard(
  path: string,
  rows: number,
  onNote: FeatureCacheOptions["onNote"],
): Shard | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const { tensors, metadata } = readSafetensors(path);
    const features = tensors.get("features");
    if (features?.shape[0] !== rows || metadata["sha256"] !== digestOf(features)) {
      throw new Error("its content does not match its checksum");
    }
    const seconds = Number(metadata["seconds"]);
    if (!(seconds >= 0)) throw new Error("it does not say how long it took");
    return { features: unscoped(() => fromTensorData(features)), seconds };
  } catch (error) {
    onNote?.(`${path}: computed again: ${(error as Error).message}`);
    return undefined;
  }
}

function digestOf({ bytes }: TensorData): string {
  return createHash("sha256").update(bytes).digest("hex");
}
