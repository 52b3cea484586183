import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { nearest, UsageError } from "../../errors.ts";
import { cacheHome } from "../../libtorch/home.ts";
import { checkSplits } from "../checks.ts";
import type { DatasetSplits, ImageSet } from "../imageset.ts";
import { type SplitChoice, splitSets } from "../splits.ts";
import { channelStatistics } from "../statistics.ts";
import { type LoadedDataset, loadBuiltin } from "./load.ts";
import { type BuiltinDatasetName, builtinDatasetNames, builtinDatasets } from "./registry.ts";
import type { DatasetProgress } from "./sources.ts";

/** What to open, and how to split it. */
export interface DatasetSpec extends SplitChoice {
  /** A built-in name. */
  readonly data: string;
  /** Folder or http(s) address with the original archives; default `THAW_MIRROR`. */
  readonly mirror?: string | undefined;
  readonly onProgress?: ((progress: DatasetProgress) => void) | undefined;
  /** Default `cacheHome()`. */
  readonly cache?: string | undefined;
}

/**
 * Opens a data set and splits it. Fetches it first if Thaw's cache does not have it.
 * @throws UsageError for an unknown name or an impossible choice; ThawError if no source has it whole.
 */
export async function openDataset(spec: DatasetSpec): Promise<DatasetSplits> {
  return splitLoaded(await load(spec), spec);
}

async function load(spec: DatasetSpec): Promise<LoadedDataset> {
  if (!isBuiltin(spec.data)) throw unknownData(spec.data);
  return loadBuiltin(builtinDatasets[spec.data], {
    cacheFolder: join(spec.cache ?? cacheHome(), "datasets", spec.data),
    mirror: spec.mirror ?? (process.env["THAW_MIRROR"] || undefined),
    onProgress: spec.onProgress,
  });
}

/** Splits what a source has, checks it, and measures the training split. */
export function splitLoaded(loaded: LoadedDataset, choice: SplitChoice): DatasetSplits {
  const { train, val, test, notes } = splitSets(loaded, choice);
  const warnings = checkSplits({ train, val, test });
  const { mean, std } = channelStatistics(train);
  return {
    name: loaded.name,
    fingerprint: fingerprintOf(loaded.contentSha256, train.classes, [train, val, test]),
    train,
    val,
    test,
    mean,
    std,
    notes: [...loaded.notes, ...notes, ...warnings],
  };
}

function fingerprintOf(
  contentSha256: string,
  classes: readonly string[],
  sets: readonly ImageSet[],
): string {
  const hash = createHash("sha256").update(JSON.stringify([contentSha256, classes]));
  for (const { indices, count } of sets) {
    hash.update(`\0${count}\0`);
    // Rows are written little-endian on every machine that libtorch runs on.
    if (indices)
      hash.update(new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength));
  }
  return hash.digest("hex");
}

function isBuiltin(name: string): name is BuiltinDatasetName {
  return Object.hasOwn(builtinDatasets, name);
}

function unknownData(data: string): UsageError {
  const known = builtinDatasetNames.join(", ");
  if (existsSync(data) || /^[.~]|[/\\]/.test(data)) {
    return new UsageError(`--data ${data}: folders and files of one's own cannot be opened yet`, {
      hint: `the built-in data sets are ${known}`,
    });
  }
  const near = nearest(data, builtinDatasetNames);
  return new UsageError(`--data ${data}: there is no such data set`, {
    hint: `${near === undefined ? "" : `did you mean ${near}? `}the built-in data sets are ${known}`,
  });
}
