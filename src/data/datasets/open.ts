import { createHash } from "node:crypto";
import { UsageError } from "../../errors.ts";
import { cacheHome } from "../../libtorch/home.ts";
import { checkSplits } from "../checks.ts";
import type { FileImageSet } from "../fileset.ts";
import { chooseClasses } from "../folders/choose-classes.ts";
import { loadSmall } from "../folders/decode-small.ts";
import { fileSet, type Listing } from "../folders/listing.ts";
import { byCodePoint } from "../folders/names.ts";
import { requireClasses } from "../folders/require-classes.ts";
import { stampedContent } from "../folders/stamp.ts";
import type { DatasetSplits, MemorySplits, SplitOrigin, SplitSet } from "../imageset.ts";
import { inClassOrder, type SourceSets, type SplitChoice, splitSets } from "../splits.ts";
import { channelStatistics } from "../statistics.ts";
import type { LoadedDataset } from "./load.ts";
import { type DataLocation, locateData } from "./locate.ts";

/** What to open, and how to split it. */
export interface DatasetSpec extends SplitChoice, DataLocation {}

/** ImageNet's mean and deviation, by which nearly all weights for photographs were trained. */
export const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * Opens a data set and splits it. Fetches it first if Thaw's cache does not have it. Small images of
 * one size are held in memory, others stay in their files.
 * @throws UsageError for an unknown name or an impossible choice; ThawError if no source has it whole.
 */
export async function openDataset(spec: DatasetSpec): Promise<DatasetSplits> {
  const source = await locateData(spec);
  return source.kind === "memory" ? splitLoaded(source, spec) : openListing(source.listing, spec);
}

/** Splits what a source has, checks it, and measures the training split. */
export function splitLoaded(loaded: LoadedDataset, choice: SplitChoice): MemorySplits {
  const { train, val, test, notes } = splitSets(loaded, choice);
  const warnings = checkSplits({ train, val, test });
  const { mean, std } = channelStatistics(train);
  return {
    kind: "memory",
    name: loaded.name,
    fingerprint: fingerprintOf(loaded.contentSha256, train.classes, [train, val, test]),
    train,
    val,
    test,
    mean,
    std,
    notes: [...loaded.notes, ...notes, ...warnings],
    origin: {
      kind: "rows",
      content: loaded.contentSha256,
      of: {
        train: "train",
        val: "train",
        test: choice.testFrom === "train" ? "train" : "test",
      },
    },
  };
}

async function openListing(all: Listing, spec: DatasetSpec): Promise<DatasetSplits> {
  const listing = chooseClasses(all, spec.classes);
  requireClasses(listing);
  // Which images are in which split does not depend on the order of classes.
  const sets = sourceSets({ ...listing, classes: [...listing.classes].sort(byCodePoint) });
  if (sets.train.count === 0 && listing.files.length > 0) throw withoutTraining(listing, spec.data);
  const draw = spec.draw ?? (listing.isFixed ? "shuffle" : "names");
  const drawn = splitSets(sets, { ...spec, classes: undefined, draw });
  const split = inClassOrder(drawn, listing.classes);
  const origin: SplitOrigin = {
    kind: "files",
    sets: { train: split.train, val: split.val, test: split.test },
  };
  const { train, val, test } = split;
  const notes = [...listing.notes, ...split.notes, ...checkSplits(split)];
  const { name } = listing;
  const content = contentOf(listing, sets);
  const fingerprint = fingerprintOf(content, listing.classes, [train, val, test]);
  const small = await loadSmall([train, val, test], spec.cache ?? cacheHome(), (received, total) =>
    spec.onProgress?.({ phase: "decode", file: name, received, total }),
  );
  if (small) {
    const [train, val, test] = small as [SmallSet, SmallSet, SmallSet];
    return {
      kind: "memory",
      name,
      fingerprint,
      train,
      val,
      test,
      ...channelStatistics(train),
      notes,
      origin,
    };
  }
  return { kind: "files", name, fingerprint, train, val, test, ...imagenet, notes, origin };
}

function withoutTraining({ files }: Listing, data: string): UsageError {
  const splits = [...new Set(files.map(({ split }) => split))].join(" and ");
  return new UsageError(`--data ${data}: all of its ${files.length} images are in ${splits}`, {
    hint: "training needs images of the split train; to evaluate a model on these images: thaw evaluate --weights <model> --data <this>",
  });
}

type SmallSet = MemorySplits["train"];

/** The splits that a listing has, or all of it as training images. */
export function sourceSets(listing: Listing): SourceSets<FileImageSet> {
  if (!listing.hasSplits) return { train: fileSet(listing) };
  const has = (split: "val" | "test") => listing.files.some((file) => file.split === split);
  return {
    train: fileSet(listing, "train"),
    ...(has("val") && { val: fileSet(listing, "val") }),
    ...(has("test") && { test: fileSet(listing, "test") }),
  };
}

/** sha256 over names, contents as far as they are known without reading, and labels. */
function contentOf({ files }: Listing, sets: SourceSets<FileImageSet>): string {
  const stampOf = new Map<string, string>();
  for (const set of [sets.train, sets.val, sets.test]) {
    set?.files.forEach((path, i) => {
      stampOf.set(path, stampedContent(set.stamps[i]!));
    });
  }
  const hash = createHash("sha256");
  for (const { path, name, className, split } of files) {
    hash.update(JSON.stringify([name, className, split ?? null, stampOf.get(path)]));
  }
  return hash.digest("hex");
}

function fingerprintOf(
  contentSha256: string,
  classes: readonly string[],
  sets: readonly SplitSet[],
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
