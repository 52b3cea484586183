import { createHash } from "node:crypto";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { cacheHome } from "../../libtorch/home.ts";
import { checkSplits } from "../checks.ts";
import type { FileImageSet } from "../fileset.ts";
import { checkFiles, type FileSets, type OnBadImage } from "../folders/check-files.ts";
import { chooseClasses } from "../folders/choose-classes.ts";
import { loadSmall } from "../folders/decode-small.ts";
import { fileSet, type Listing, type SplitName } from "../folders/listing.ts";
import { splitOrder } from "../folders/manifest.ts";
import { byCodePoint } from "../folders/names.ts";
import { requireClasses } from "../folders/require-classes.ts";
import { stampedContent } from "../folders/stamp.ts";
import type { PixelRange } from "../images/levels.ts";
import type { DatasetSplits, MemorySplits, SplitOrigin, SplitSet } from "../imageset.ts";
import { inClassOrder, type SourceSets, type SplitChoice, splitSets } from "../splits.ts";
import { refuseIdentical, usableStatistics } from "../statistics.ts";
import type { LoadedDataset } from "./load.ts";
import { type DataLocation, locateData } from "./locate.ts";

/** What to open, and how to split it. */
export interface DatasetSpec extends SplitChoice, DataLocation {
  /** What is black and white in images of more than 8 bits a sample; default what they say themselves. */
  readonly pixelRange?: PixelRange | undefined;
  /** Where an image cannot be decoded: an error that names it (default), or the others without it. */
  readonly onBadImage?: OnBadImage | undefined;
  /** Splits whose files are looked at first; default all. Those that are not will not be read. */
  readonly reads?: readonly SplitName[] | undefined;
}

/** ImageNet's mean and deviation, by which nearly all weights for photographs were trained. */
export const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * Opens a data set and splits it. Fetches it first if Thaw's cache does not have it. Small images of
 * one size are held in memory, others stay in their files.
 * @throws UsageError for an unknown name or an impossible choice; ThawError if no source has it whole.
 */
export async function openDataset(spec: DatasetSpec): Promise<DatasetSplits> {
  const source = await locateData(spec);
  if (source.kind === "files") return openListing(source.listing, spec);
  if (spec.onBadImage !== undefined && spec.reads === undefined) {
    throw new UsageError(`--on-bad-image: ${source.name} has no image files`, {
      hint: "leave it out: the data set was verified as a whole",
    });
  }
  // What is evaluated has the range of its model, whether it needs it or not.
  if (spec.pixelRange === undefined || spec.reads !== undefined) return splitLoaded(source, spec);
  throw new UsageError(`--pixel-range: ${source.name} has 8-bit images`, {
    hint: "leave it out: 8-bit images are used as they are",
  });
}

/** Splits what a source has, checks it, and measures the training split. */
export function splitLoaded(loaded: LoadedDataset, choice: SplitChoice): MemorySplits {
  const { train, val, test, notes } = splitSets(loaded, choice);
  const warnings = checkSplits({ train, val, test });
  refuseIdentical(train);
  const { statistics, notes: constantNotes } = usableStatistics(train);
  return {
    kind: "memory",
    name: loaded.name,
    fingerprint: fingerprintOf(loaded.contentSha256, train.classes, [train, val, test]),
    train,
    val,
    test,
    ...statistics,
    notes: [...loaded.notes, ...notes, ...warnings, ...constantNotes],
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
  const { pixelRange, onBadImage = "fail" } = spec;
  const ranged = (set: FileImageSet) => (pixelRange === undefined ? set : { ...set, pixelRange });
  const files: FileSets = {
    train: ranged(split.train),
    val: ranged(split.val),
    test: ranged(split.test),
  };
  // Before the files are looked at, which may take a while.
  checkSplits(files);
  const { name } = listing;
  const checked = await checkFiles(files, {
    root: listing.root,
    cache: join(spec.cache ?? cacheHome(), "checked"),
    onBadImage,
    // An image that is left out must be so whatever is read.
    parts: onBadImage === "skip" ? splitOrder : (spec.reads ?? splitOrder),
    pixelRange,
    onProgress: (received, total) =>
      spec.onProgress?.({ phase: "check", file: name, received, total }),
  });
  const { train, val, test } = checked.sets;
  const listed = all.files.length;
  const origin: SplitOrigin = { kind: "files", sets: checked.sets, listed };
  const notes = [...listing.notes, ...split.notes, ...checked.notes, ...checkSplits(checked.sets)];
  const content = contentOf(listing, sets, pixelRange);
  const fingerprint = fingerprintOf(content, listing.classes, [train, val, test]);
  const unusable = checked.unusable.length === 0 ? {} : { unusable: checked.unusable };
  const small = await loadSmall([train, val, test], spec.cache ?? cacheHome(), (received, total) =>
    spec.onProgress?.({ phase: "decode", file: name, received, total }),
  );
  if (small) {
    const [train, val, test] = small as [SmallSet, SmallSet, SmallSet];
    const { statistics, notes: constantNotes } = usableStatistics(train);
    return {
      kind: "memory",
      name,
      fingerprint,
      train,
      val,
      test,
      ...unusable,
      ...statistics,
      notes: [...notes, ...constantNotes],
      origin,
    };
  }
  const base = { kind: "files", name, fingerprint, notes, origin } as const;
  return { ...base, train, val, test, ...imagenet, ...unusable };
}

function withoutTraining({ files }: Listing, data: string): UsageError {
  const splits = [...new Set(files.map(({ split }) => split))].join(" and ");
  return new UsageError(`--data ${data}: all of its ${files.length} images are in ${splits}`, {
    hint: "training needs images in the train split; to evaluate a model on these images: thaw evaluate --weights <model> --data <this>",
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
function contentOf(
  { files }: Listing,
  sets: SourceSets<FileImageSet>,
  pixelRange: PixelRange | undefined,
): string {
  const stampOf = new Map<string, string>();
  for (const set of [sets.train, sets.val, sets.test]) {
    set?.files.forEach((path, i) => {
      stampOf.set(path, stampedContent(set.stamps[i]!));
    });
  }
  const hash = createHash("sha256");
  if (pixelRange !== undefined) hash.update(JSON.stringify(pixelRange));
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
