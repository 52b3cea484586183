import { ThawError } from "../../errors.ts";
import { cacheHome } from "../../libtorch/home.ts";
import { classKey } from "../class-names.ts";
import type { FileImageSet } from "../fileset.ts";
import { chooseClasses } from "../folders/choose-classes.ts";
import { loadSmall } from "../folders/decode-small.ts";
import { contentDigests } from "../folders/digests.ts";
import type { ListedFile, Listing, SplitName } from "../folders/listing.ts";
import { someOf } from "../folders/names.ts";
import { countOf } from "../folders/not-classes.ts";
import { statStamp } from "../folders/stamp.ts";
import type { PixelRange } from "../images/levels.ts";
import {
  type DatasetSplits,
  type ImageSet,
  type LeftOut,
  type MemorySplits,
  subset,
} from "../imageset.ts";
import {
  fingerprintWithout,
  ofEach,
  type RecordedImage,
  type RecordedSplit,
  splitNames,
} from "../recorded.ts";
import { withClasses } from "../splits.ts";
import { usableStatistics } from "../statistics.ts";
import type { LoadedDataset } from "./load.ts";
import { type DataLocation, locateData, type Source } from "./locate.ts";
import { imagenet } from "./open.ts";

export interface RecordedChoice extends DataLocation {
  /** Whose split it is, for messages. */
  readonly run: string;
  /** As the run's config has them: they may unite what are folders of their own. */
  readonly classes?: readonly string[] | undefined;
  readonly pixelRange?: PixelRange | undefined;
  /** The splits that are wanted; the others come back empty, and their images may be missing. */
  readonly needs: readonly SplitName[];
  /** Files that the run could not decode and did without: they are not new. */
  readonly unusable?: readonly string[] | undefined;
  /** Go on without images that are missing or have changed. Default: they are an error. */
  readonly skipMissing?: boolean | undefined;
  /** Told of images that were renamed, and of those that were added. */
  readonly onNote?: ((text: string) => void) | undefined;
}

type Of<K extends RecordedSplit["kind"]> = Extract<RecordedSplit, { kind: K }>;

/**
 * Opens the images of a run's split again, each in the split that it was in: by their names below the data's root, which
 * may lie elsewhere now, and those that were renamed by their content. Images that were added since are not used.
 * @throws ThawError that names the images that are missing, or whose content or class is another.
 */
export async function openRecorded(
  recorded: RecordedSplit,
  choice: RecordedChoice,
): Promise<DatasetSplits> {
  const { run } = choice;
  if (recorded.kind === "given") {
    throw new ThawError(`${run} was trained on data passed in by a program, not on files`, {
      hint: "resume it from that program",
    });
  }
  const source = await locateData({ ...choice, requireWhole: false });
  if (source.kind !== (recorded.kind === "rows" ? "memory" : "files")) throw otherData(choice);
  return recorded.kind === "rows"
    ? openRows(recorded, source as LoadedDataset, choice)
    : openFiles(recorded, listingOf(source, choice), choice);
}

function listingOf(source: Source, { classes }: RecordedChoice): Listing {
  return chooseClasses((source as Extract<Source, { kind: "files" }>).listing, classes);
}

function otherData({ run, data }: RecordedChoice): ThawError {
  return new ThawError(`${data} is not the data that ${run} was trained on`, {
    hint: `to evaluate its model on other images: thaw evaluate --weights ${run} --data ${data}`,
  });
}

function openRows(
  { splits, classes, fingerprint, content }: Of<"rows">,
  source: LoadedDataset,
  choice: RecordedChoice,
): MemorySplits {
  if (source.contentSha256 !== content) throw otherData(choice);
  const sets = ofEach((split) => {
    const { of, rows } = splits[split];
    return withClasses(subset(of === "test" ? source.test : source.train, rows), classes);
  });
  const of = ofEach((split) => splits[split].of);
  return {
    ...{ kind: "memory", name: source.name, fingerprint, notes: source.notes },
    ...sets,
    ...usableStatistics(sets.train).statistics,
    origin: { kind: "rows", content, of },
  };
}

async function openFiles(
  recorded: Of<"files">,
  listing: Listing,
  choice: RecordedChoice,
): Promise<DatasetSplits> {
  const { classes, splits, channels } = recorded;
  const cache = choice.cache ?? cacheHome();
  const found = await findImages(recorded, listing, choice, cache);
  const { leftOut } = found;
  for (const text of found.notes) choice.onNote?.(text);
  if (leftOut.length > 0 && choice.skipMissing !== true) throw missing(recorded, leftOut, choice);
  const sets = ofEach((split): FileImageSet => {
    const images = splits[split].flatMap((image) => {
      const file = found.files.get(image);
      return file === undefined ? [] : [{ image, file }];
    });
    return {
      files: images.map(({ file }) => file.path),
      labels: Int32Array.from(images, ({ image }) => image.label),
      count: images.length,
      classes,
      stamps: images.map(({ file }) => file.stamp ?? statStamp(file.path)),
      names: images.map(({ image }) => image.file),
      pixelRange: choice.pixelRange,
    };
  });
  const empty = choice.needs.find((split) => splits[split].length > 0 && sets[split].count === 0);
  if (empty !== undefined) throw missing(recorded, leftOut, choice);
  const base = {
    name: listing.name,
    fingerprint:
      leftOut.length === 0
        ? recorded.fingerprint
        : fingerprintWithout(recorded.fingerprint, leftOut),
    notes: [],
    origin: { kind: "files", sets, listed: recorded.listed - leftOut.length },
    ...(leftOut.length > 0 && { leftOut }),
  } as const;
  if (channels === null) return { ...base, kind: "files", ...sets, ...imagenet };
  const small = await loadSmall([sets.train, sets.val, sets.test], cache);
  if (small === undefined) throw otherData(choice);
  const [train, val, test] = small.map((set) => withChannels(set, channels)) as [
    ImageSet,
    ImageSet,
    ImageSet,
  ];
  const statistics = train.count > 0 ? usableStatistics(train).statistics : imagenet;
  return { ...base, kind: "memory", train, val, test, ...statistics };
}

interface Found {
  /** Of the images that are there as they were. */
  readonly files: ReadonlyMap<RecordedImage, ListedFile>;
  readonly leftOut: readonly LeftOut[];
  readonly notes: readonly string[];
}

/** Looks for the images of the splits that are needed: each by its name, then by its content under another name. */
async function findImages(
  { splits, classes, listed, leftOut: leftBefore }: Of<"files">,
  listing: Listing,
  { needs, unusable = [] }: RecordedChoice,
  cache: string,
): Promise<Found> {
  const byName = new Map(listing.files.map((file) => [file.name, file]));
  const wanted = splitNames
    .filter((split) => needs.includes(split))
    .flatMap((split) => splits[split].map((image) => ({ split, image })));
  const named = wanted.flatMap((one) => {
    const file = byName.get(one.image.file);
    return file === undefined ? [] : [{ ...one, file }];
  });
  const digests = await digestsOf(
    named.map(({ file }) => file),
    cache,
  );
  const files = new Map<RecordedImage, ListedFile>();
  const wrong = new Map<RecordedImage, string>();
  named.forEach(({ image, file }, i) => {
    if (digests[i] !== image.sha256) wrong.set(image, "has different content");
    else if (classKey(file.className) !== classKey(classes[image.label]!)) {
      wrong.set(image, `is now in class ${file.className}, was in ${classes[image.label]}`);
    } else files.set(image, file);
  });
  const notes: string[] = [];
  const lost = wanted.filter(({ image }) => !files.has(image));
  const known = new Set(splitNames.flatMap((split) => splits[split].map(({ file }) => file)));
  for (const file of [...unusable, ...leftBefore.map((one) => one.file)]) known.add(file);
  const others = listing.files.filter(({ name }) => !known.has(name));
  // The run may not have used all images that there were.
  let added = Math.max(0, others.length - (listed - known.size));
  if (lost.length > 0) {
    // Names may have been exchanged: what lies under another's name is looked at, too.
    const misplaced = named.filter(({ image }) => wrong.has(image)).map(({ file }) => file);
    const renamed = await byContent(
      [...misplaced, ...others],
      lost.map(({ image }) => image),
      classes,
      cache,
    );
    for (const [image, file] of renamed) {
      files.set(image, file);
      wrong.delete(image);
    }
    added -= [...renamed.values()].filter(({ name }) => !known.has(name)).length;
    if (renamed.size > 0) {
      const names = [...renamed].map(([{ file }, { name }]) => `${file} → ${name}`);
      const were = names.length === 1 ? "was" : "were";
      notes.push(`${countOf(names.length)} ${were} renamed: ${someOf(names, 3)}`);
    }
  }
  const leftOut = lost
    .filter(({ image }) => !files.has(image))
    .map(({ split, image }) => ({
      split,
      file: image.file,
      why: wrong.get(image) ?? "is missing",
    }));
  if (added > 0)
    notes.push(
      `${countOf(added)} ${added === 1 ? "was" : "were"} added since the run was trained, and ${added === 1 ? "is" : "are"} not used`,
    );
  return { files, leftOut, notes };
}

/** Images that lie under a name that the run does not know. */
async function byContent(
  others: readonly ListedFile[],
  lost: readonly RecordedImage[],
  classes: readonly string[],
  cache: string,
): Promise<Map<RecordedImage, ListedFile>> {
  const digests = await digestsOf(others, cache);
  const places = new Map<string, ListedFile[]>();
  others.forEach((file, i) => {
    const key = `${digests[i]} ${classKey(file.className)}`;
    places.set(key, [...(places.get(key) ?? []), file]);
  });
  const found = new Map<RecordedImage, ListedFile>();
  for (const image of lost) {
    const file = places.get(`${image.sha256} ${classKey(classes[image.label]!)}`)?.shift();
    if (file !== undefined) found.set(image, file);
  }
  return found;
}

async function digestsOf(files: readonly ListedFile[], cache: string): Promise<string[]> {
  return (await contentDigests([{ files: files.map(({ path }) => path) }], cache))[0]!;
}

function missing(
  { splits }: Of<"files">,
  leftOut: readonly LeftOut[],
  { run, skipMissing }: RecordedChoice,
): ThawError {
  const parts = splitNames.flatMap((split) => {
    const own = leftOut.filter((one) => one.split === split);
    if (own.length === 0) return [];
    const named = someOf(own.map(({ file, why }) => `${file} ${why}`));
    const kind = { train: "training", val: "validation", test: "test" }[split];
    return [`${own.length} of the ${splits[split].length} ${kind} images of ${run}: ${named}`];
  });
  return new ThawError(parts.join("\n"), {
    hint: skipMissing
      ? "no images would remain: restore the files"
      : "restore the files, give their new location with --data, or leave them out with --skip-missing",
  });
}

/** Images that are all grey lose their colours when they are read without the others of the run. */
function withChannels(set: ImageSet, channels: number): ImageSet {
  if (set.channels === channels || set.channels !== 1) return set;
  const plane = set.height * set.width;
  const images = new Uint8Array(set.count * channels * plane);
  for (let i = 0; i < set.count * channels; i++) {
    const from = Math.floor(i / channels) * plane;
    images.set(set.images.subarray(from, from + plane), i * plane);
  }
  return { ...set, images, channels };
}
