import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { makeFolder, writeWhole } from "../../platform/durable.ts";
import type { ListedFile, Listing, SplitName } from "../folders/listing.ts";
import { MANIFEST, type Manifest, REJECTED, readManifest } from "../folders/manifest.ts";
import { byCodePoint } from "../folders/names.ts";
import { requireClasses } from "../folders/require-classes.ts";
import { statStamp } from "../folders/stamp.ts";
import { JOURNAL } from "../folders/unfinished.ts";
import { formatCsv, parseCsv } from "../formats/csv.ts";
import { assignSplits, type SplitShares } from "./assign.ts";
import { defaultSplit } from "./defaults.ts";
import type { Examined } from "./examine.ts";
import { examineFiles } from "./examine-files.ts";
import { keyOf, preparedOtherwise, refuseForeign, refuseNesting } from "./guard.ts";
import { Journal } from "./journal.ts";
import { classNotes, duplicateNotes } from "./notes.ts";
import { prepareError, preparePlace } from "./prepare-error.ts";
import { tooFewUsable } from "./too-few.ts";
import { isInPlace, type ManifestFile, place, removeOthers, TreeNames } from "./tree.ts";

export interface PrepareOptions {
  readonly out: string;
  readonly seed: number;
  /** Absent: the source's own splits, or 70/15/15 where it has none. */
  readonly split?: SplitShares | undefined;
  /** Pixels that width and height must both have. */
  readonly minSize: number;
  /** Replace what was prepared there in another way. */
  readonly overwrite?: boolean;
  /** The shell command that asks for the same again: an unfinished folder is refused with it. */
  readonly command?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Rejected {
  /** Below the source's root. */
  readonly file: string;
  readonly className: string;
  readonly reason: string;
}

export interface Prepared {
  readonly manifest: Manifest;
  readonly rejected: readonly Rejected[];
  /** Images put in place by this run, by link or copy; 0 and 0 where all was there. */
  readonly linked: number;
  readonly copied: number;
  /** Images whose verdict came from an interrupted run. */
  readonly resumed: number;
  readonly notes: readonly string[];
}

/**
 * Decodes every image of a listing, sets aside what is no good, splits the rest and builds an ImageFolder
 * tree of it with a manifest. The same source and options always give the same tree; a run that was
 * interrupted is continued by the next.
 * @throws UsageError where the folder holds something else, and where no two classes have images to use; ThawError where it
 * cannot be written.
 */
export async function prepareImages(listing: Listing, options: PrepareOptions): Promise<Prepared> {
  requireClasses(listing);
  const out = resolve(options.out);
  const split = options.split ?? (listing.hasSplits ? undefined : defaultSplit);
  if (split === undefined && !listing.files.some((file) => file.split === "train")) {
    throw new UsageError(`${listing.name}: none of its images are in the train split`, {
      hint: "use --split 70/15/15 to draw new splits",
    });
  }
  const key = keyOf(listing, { ...options, split });
  refuseNesting(listing.root, out);
  const before = readManifest(out);
  const whole = before?.key === key ? asItIs(out, before, listing) : undefined;
  if (whole) {
    // Of a process that was killed after its last word.
    if (existsSync(join(out, JOURNAL))) rmSync(join(out, JOURNAL));
    return whole;
  }
  const otherwise = before !== undefined && before.key !== key;
  if (otherwise && !options.overwrite) {
    throw preparedOtherwise(out, before, listing, { ...options, split });
  }
  if (!before) refuseForeign(out);
  const journal = openJournal(out, options.command);
  if (otherwise) {
    for (const { file } of before.files) rmSync(join(out, file), { force: true });
    rmSync(join(out, MANIFEST), { force: true });
  }
  const { verdicts, resumed } = await examineAll(listing, journal, options.onProgress, out);
  const { good, rejected } = sort(verdicts, options.minSize);
  const classes = listing.classes.filter((name) =>
    good.some(({ file }) => file.className === name),
  );
  if (classes.length < 2) throw tooFewUsable(listing, verdicts, classes, options.minSize);
  const images = good.map(({ file, image }) => ({
    className: file.className,
    pixels: image.pixels,
    name: listing.isFixed ? undefined : file.name,
  }));
  const splits = split
    ? assignSplits(images, [...classes].sort(byCodePoint), split, options.seed)
    : good.map(({ file }) => file.split!);
  const files = nameFiles(good, splits);
  const sources = new Map(files.map((file, i) => [file.file, good[i]!.file.path]));
  const manifest: Manifest = {
    format: "thaw prepared images 1",
    key,
    source: listing.name,
    seed: options.seed,
    split: split ? [...split] : null,
    minSize: options.minSize,
    classes: [...classes],
    rejected: rejected.length,
    files: [...files].sort((a, b) => byCodePoint(a.file, b.file)),
  };
  const placed = buildTree(out, manifest.files, sources);
  await writeReports(out, manifest, rejected);
  journal.remove();
  const notes = [
    ...listing.notes,
    ...classNotes(listing, good, splits),
    ...duplicateNotes(good, splits),
  ];
  return { manifest, rejected, ...placed, resumed, notes };
}

/** What an earlier run has made, if all of it is there. */
function asItIs(out: string, manifest: Manifest, listing: Listing): Prepared | undefined {
  const sources = new Map(
    [...listing.files, ...listing.passedOver].map(({ name, path }) => [name, path]),
  );
  if (!manifest.files.every((file) => isInPlace(out, file, sources.get(file.from))))
    return undefined;
  let text: string;
  try {
    text = readFileSync(join(out, REJECTED), "utf8");
  } catch {
    return undefined;
  }
  const rejected = parseCsv(text, REJECTED)
    .slice(1)
    .map(([file, className, reason]) => ({ file: file!, className: className!, reason: reason! }));
  return { manifest, rejected, linked: 0, copied: 0, resumed: 0, notes: listing.notes };
}

interface Verdict {
  readonly file: ListedFile;
  readonly examined: Examined;
}

interface Good {
  readonly file: ListedFile;
  readonly image: Extract<Examined, { kind: "image" }>;
}

async function examineAll(
  listing: Listing,
  journal: Journal,
  onProgress: PrepareOptions["onProgress"],
  out: string,
): Promise<{ verdicts: Verdict[]; resumed: number }> {
  const { files, passedOver } = listing;
  const verdicts: Verdict[] = passedOver.map((file) => ({
    file,
    examined: { kind: "damaged", reason: file.why },
  }));
  const known = files.map((file) => journal.find(file));
  const open = files.flatMap((_, i) => (known[i] ? [] : [i]));
  const stamps = open.map((i) => statStamp(files[i]!.path));
  const conclude = (i: number, examined: Examined) => {
    verdicts.push({ file: files[i]!, examined });
  };
  known.forEach((examined, i) => {
    if (examined) conclude(i, examined);
  });
  const resumed = verdicts.length - passedOver.length;
  const paths = open.map((i) => files[i]!.path);
  let done = resumed;
  await examineFiles(paths, { summaries: false }, (place, { examined }) => {
    try {
      journal.add(paths[place]!, stamps[place]!, examined);
    } catch (cause) {
      throw prepareError(join(out, JOURNAL), cause);
    }
    conclude(open[place]!, examined);
    onProgress?.(++done, files.length);
  });
  verdicts.sort(
    (a, b) =>
      byCodePoint(a.file.className, b.file.className) || byCodePoint(a.file.name, b.file.name),
  );
  return { verdicts, resumed };
}

function sort(
  verdicts: readonly Verdict[],
  minSize: number,
): { good: Good[]; rejected: Rejected[] } {
  const good: Good[] = [];
  const rejected: Rejected[] = [];
  for (const { file, examined } of verdicts) {
    const reject = (reason: string) =>
      rejected.push({ file: file.name, className: file.className, reason });
    if (examined.kind === "damaged") reject(examined.reason);
    else if (Math.min(examined.width, examined.height) < minSize) {
      reject(`too small: ${examined.width} × ${examined.height} pixels, under ${minSize}`);
    } else good.push({ file, image: examined });
  }
  return { good, rejected };
}

function nameFiles(good: readonly Good[], splits: readonly SplitName[]): ManifestFile[] {
  const names = new TreeNames();
  return good.map(({ file, image }, i) => {
    const folder = `${splits[i]!}/${names.classFolder(file.className)}`;
    const { sha256, bytes, width, height } = image;
    return {
      file: names.pick(folder, file.name, image),
      className: file.className,
      from: file.name,
      sha256,
      bytes,
      width,
      height,
    };
  });
}

function buildTree(
  out: string,
  files: readonly ManifestFile[],
  sources: ReadonlyMap<string, string>,
): { linked: number; copied: number } {
  const counts = { linked: 0, copied: 0 };
  removeOthers(out, new Set(files.map(({ file }) => file)));
  for (const file of files) {
    const source = sources.get(file.file)!;
    if (!isInPlace(out, file, source)) counts[place(source, join(out, file.file))]++;
  }
  return counts;
}

async function writeReports(
  out: string,
  manifest: Manifest,
  rejected: readonly Rejected[],
): Promise<void> {
  const rows = rejected.map(({ file, className, reason }) => [file, className, reason]);
  try {
    const csv = formatCsv([["file", "class", "reason"], ...rows]);
    await writeWhole(join(out, REJECTED), [Buffer.from(csv)]);
    // Last: with it the folder counts as prepared.
    await writeWhole(join(out, MANIFEST), [Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)]);
  } catch (cause) {
    throw prepareError(join(out, MANIFEST), cause);
  }
}

function openJournal(out: string, command: string | undefined): Journal {
  try {
    makeFolder(out, preparePlace);
    return new Journal(out, command);
  } catch (cause) {
    throw prepareError(out, cause);
  }
}
