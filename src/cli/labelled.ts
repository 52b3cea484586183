import { resolve } from "node:path";
import { builtinDatasetNames } from "../data/datasets/index.ts";
import { type LabelledImages, openLabelled } from "../data/datasets/labelled.ts";
import type { OnBadImage } from "../data/folders/check-files.ts";
import { type CsvOptions, csvOptionsOf } from "../data/folders/csv-columns.ts";
import type { SplitName } from "../data/folders/listing.ts";
import type { PixelRange } from "../data/images/levels.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { recordSplit } from "../data/recorded.ts";
import { ThawError } from "../errors.ts";
import { cacheHome } from "../libtorch/index.ts";
import { trainConfigSchema } from "../run/config.ts";
import { readRun } from "../run/read.ts";
import { openRunData } from "../run/run-data.ts";
import { ancestorsOf, imageIds, runOfWeights, seenSentences } from "../run/seen-images.ts";
import { readSplit } from "../run/split-file.ts";
import { openConfiguredData } from "./dataset.ts";
import { downloadProgress, note } from "./progress.ts";

export interface LabelledChoice extends CsvOptions {
  readonly data: string;
  readonly split?: SplitName | "all" | undefined;
  readonly mirror?: string | undefined;
  /** The weights as a person named them. */
  readonly reference?: string | undefined;
  readonly out: string;
  readonly onBadImage?: OnBadImage | undefined;
  readonly pixelRange?: PixelRange | undefined;
}

/**
 * The images that weights are evaluated on: every labelled image of a folder, archive or CSV, the test images of a
 * built-in data set, or the split that is asked for. How many of them a run of these weights has learnt from is said.
 */
export async function openForWeights(choice: LabelledChoice): Promise<
  Pick<LabelledImages, "name" | "set" | "unusable"> & {
    readonly split: string;
    readonly what: string;
  }
> {
  const { data, mirror, out, reference } = choice;
  const isBuiltin = builtinDatasetNames.includes(data);
  const split = choice.split ?? (isBuiltin ? "test" : "all");
  const dir = runOfWeights(reference, out);
  const csv = csvOptionsOf(choice);
  const { onBadImage, pixelRange } = choice;
  const how = { onBadImage, pixelRange };
  const classes = dir === undefined ? undefined : readSplit(dir)?.classes;
  const location = { ...csv, ...how, data, classes, mirror, onProgress: downloadProgress() };
  const labelled =
    isBuiltin && split !== "all" && split !== "test"
      ? undefined
      : await openLabelled(location, split);
  if (labelled === undefined) return drawn(choice, split as SplitName, dir);
  for (const text of labelled.notes) note(text);
  tellSeen(dir, out, labelled.ids, "images");
  return { ...labelled, split, what: describe(labelled, split) };
}

/** Says how many of these images the run, or one that it started from, has learnt from. */
function tellSeen(
  dir: string | undefined,
  out: string,
  ids: readonly string[],
  what: string,
): void {
  if (dir === undefined) return;
  const runs = [dir, ...ancestorsOf(readRun(dir).config, out)];
  for (const text of seenSentences(runs, ids, what)) note(text);
}

/** A split that the source does not have: the run's own where these are its images; else one that is drawn. */
async function drawn(choice: LabelledChoice, split: SplitName, dir: string | undefined) {
  const { data, mirror, onBadImage, pixelRange } = choice;
  const own = dir === undefined ? undefined : await ofRun(dir, data, split, mirror);
  if (own !== undefined) {
    const what = `the ${split} images of the run`;
    return { name: own.name, set: own[split], split, what, ...unusableIn(own, split) };
  }
  const splits = await openConfiguredData(
    {
      ...{ data, onBadImage, ...csvOptionsOf(choice) },
      ...(pixelRange && { pixelRange: [pixelRange[0], pixelRange[1]] }),
      seed: trainConfigSchema.shape.seed.parse(undefined),
    },
    mirror,
    [split],
  );
  for (const text of splits.notes) note(text);
  const ids = imageIds(await recordSplit(splits, cacheHome()), split);
  tellSeen(dir, choice.out, ids ?? [], `${split} images`);
  const what = split;
  return { name: splits.name, set: splits[split], split, what, ...unusableIn(splits, split) };
}

/** Those of a split that were left out because they could not be decoded. */
function unusableIn(
  { unusable = [] }: DatasetSplits,
  split: SplitName,
): Pick<LabelledImages, "unusable"> {
  const own = unusable.filter((image) => image.split === split);
  return own.length > 0 ? { unusable: own } : {};
}

/** Undefined where these are not the images of the run. Some of them missing in the run's own place is an error. */
async function ofRun(
  dir: string,
  data: string,
  split: SplitName,
  mirror: string | undefined,
): Promise<DatasetSplits | undefined> {
  if (readSplit(dir) === undefined) return undefined;
  const isItsPlace = resolve(String(readRun(dir).config["data"])) === resolve(data);
  const options = { data, mirror, needs: [split], skipMissing: !isItsPlace };
  try {
    const own = await openRunData(dir, { ...options, onNote: note });
    return own.leftOut === undefined ? own : undefined;
  } catch (error) {
    if (isItsPlace || !(error instanceof ThawError)) throw error;
    return undefined;
  }
}

function describe({ set, counts }: LabelledImages, split: SplitName | "all"): string {
  if (split !== "all") return split;
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return `all ${set.count} labelled images${parts.length > 0 ? ` (${parts.join(", ")})` : ""}`;
}
