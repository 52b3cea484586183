import { relative, sep } from "node:path";
import { ThawError, UsageError } from "../../errors.ts";
import { eachFile } from "../file-threads.ts";
import type { FileImageSet } from "../fileset.ts";
import type { PixelRange } from "../images/decode.ts";
import { subset, type Unusable } from "../imageset.ts";
import { CheckCache } from "./check-cache.ts";
import { type CheckedFile, FileChecker, type GoodFile } from "./check-file.ts";
import type { CheckWorkerData } from "./check-worker.ts";
import type { SplitName } from "./listing.ts";
import { splitOrder } from "./manifest.ts";
import { someOf } from "./names.ts";
import { countOf } from "./not-classes.ts";
import { statStamp } from "./stamp.ts";

/** What happens where an image cannot be used. */
export type OnBadImage = "fail" | "skip";

export interface CheckOptions {
  /** The folder of the data. */
  readonly root: string;
  /** Folder of what is remembered between runs. */
  readonly cache: string;
  readonly onBadImage: OnBadImage;
  /** Splits that will be read. */
  readonly parts: readonly SplitName[];
  readonly pixelRange?: PixelRange | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export type FileSets = Readonly<Record<SplitName, FileImageSet>>;

export interface Checked {
  /** Without the images that are left out. */
  readonly sets: FileSets;
  readonly unusable: readonly Unusable[];
  readonly notes: readonly string[];
}

/** More than that is no accident: `skip` refuses it. */
const MOST_UNUSABLE = 0.1;
const MOST_SHOWN = 10;
/** Fewer are looked at before anybody asks how far it is. */
const WORTH_TELLING = 1_000;

/**
 * Looks at every image that will be read, so that a damaged one does not end a run after hours. What was found good is
 * remembered by path, size and time.
 * @throws ThawError that names the images that cannot be used, unless they are to be skipped and are few; or where all
 * training images are the same. UsageError for a range that no image needs.
 */
export async function checkFiles(sets: FileSets, options: CheckOptions): Promise<Checked> {
  const { root, onBadImage } = options;
  const parts = splitOrder.filter((split) => options.parts.includes(split));
  const files = parts.flatMap((split) =>
    sets[split].files.map((path, row) => ({ split, row, path, stamp: sets[split].stamps[row]! })),
  );
  const found = await checkEach(files, options);
  const good: (GoodFile & { readonly split: SplitName })[] = [];
  const bad: (Unusable & { readonly row: number; readonly hint?: string | undefined })[] = [];
  for (const [i, checked] of found.entries()) {
    const { split, row, path } = files[i]!;
    if (checked.kind === "good") good.push({ ...checked, split });
    else {
      const file = relative(root, path).split(sep).join("/");
      bad.push({ file, split, row, reason: checked.reason, hint: checked.hint });
    }
  }
  if (bad.length > 0 && onBadImage === "fail") throw cannotBeUsed(bad, files.length);
  if (bad.length > files.length * MOST_UNUSABLE) throw tooMany(bad, files.length);
  const unusable = bad.map(({ file, split, reason }) => ({ file, split, reason }));
  const kept = Object.fromEntries(
    splitOrder.map((split) => {
      const rows = new Set(bad.filter((own) => own.split === split).map(({ row }) => row));
      return [split, rows.size === 0 ? sets[split] : without(sets[split], rows)];
    }),
  ) as unknown as FileSets;
  // Of a training; what is evaluated has the range of its model.
  if (parts.includes("train")) {
    refuseIdentical(good.filter(({ split }) => split === "train"));
    refuseIdleRange(good, options.pixelRange);
  }
  const notes = [...unusableNotes(unusable, parts), ...depthNotes(good), ...pageNotes(good)];
  return { sets: kept, unusable, notes };
}

interface ListedRow {
  readonly path: string;
  readonly stamp: string;
}

async function checkEach(
  files: readonly ListedRow[],
  { root, cache, pixelRange, onProgress }: CheckOptions,
): Promise<CheckedFile[]> {
  const known = new CheckCache(cache, root, pixelRange);
  // By time as well, even of files whose content is known: the disk may have lost it.
  const times = files.map(({ path }) => timeOf(path));
  const found: (CheckedFile | undefined)[] = files.map(({ path }, i) => {
    const good = times[i] === undefined ? undefined : known.find(path, times[i]);
    return good && { kind: "good", ...good };
  });
  const open = files.flatMap((_, i) => (found[i] === undefined ? [i] : []));
  const stamps = open.map((i) => files[i]!.stamp);
  const workerData: CheckWorkerData = { stamps, pixelRange };
  const checker = new FileChecker({ pixelRange });
  let done = files.length - open.length;
  await eachFile<CheckedFile>(
    open.map((i) => files[i]!.path),
    {
      worker: "folders/check-worker.js",
      workerData,
      here: ({ index, path }) => checker.check(path, stamps[index]!),
    },
    (place, checked) => {
      const i = open[place]!;
      found[i] = checked;
      if (checked.kind === "good" && times[i] !== undefined) {
        const { kind: _, ...good } = checked;
        known.add(files[i]!.path, times[i], good);
      }
      done++;
      if (open.length >= WORTH_TELLING) onProgress?.(done, files.length);
    },
  );
  known.save();
  return found as CheckedFile[];
}

/** Undefined of a file that is gone: reading it says so. */
function timeOf(path: string): string | undefined {
  try {
    return statStamp(path);
  } catch {
    return undefined;
  }
}

function without(set: FileImageSet, rows: ReadonlySet<number>): FileImageSet {
  const kept = Int32Array.from({ length: set.count }, (_, row) => row).filter((r) => !rows.has(r));
  return subset(set, kept);
}

function lines(bad: readonly Unusable[]): string {
  const shown = bad.slice(0, MOST_SHOWN).map(({ file, reason }) => `${file}: ${reason}`);
  if (bad.length > shown.length) shown.push(`and ${bad.length - shown.length} more`);
  return shown.join("\n");
}

function cannotBeUsed(
  bad: readonly (Unusable & { readonly hint?: string | undefined })[],
  total: number,
): ThawError {
  const text = `${bad.length} of ${total} images cannot be used:\n${lines(bad)}`;
  const own = bad.every(({ hint }) => hint !== undefined && hint === bad[0]!.hint);
  const general =
    "`thaw data prepare` sets such files aside; --on-bad-image skip leaves them out of this run";
  return new ThawError(text, { hint: own ? `${bad[0]!.hint}; or ${general}` : general });
}

function tooMany(bad: readonly Unusable[], total: number): ThawError {
  const share = (100 * bad.length) / total;
  return new ThawError(
    `${bad.length} of ${total} images (${share.toFixed(1)} %) cannot be used:\n${lines(bad)}`,
    {
      hint: `--on-bad-image skip leaves out ${100 * MOST_UNUSABLE} % at most: check what happened to these files, or set them aside with \`thaw data prepare\``,
    },
  );
}

function refuseIdentical(train: readonly GoodFile[]): void {
  const [first] = train;
  if (train.length < 2 || train.some(({ look }) => look !== first!.look)) return;
  const colour = /^rgb (\d+) (\d+) (\d+)$/.exec(first!.look)?.slice(1).join(", ");
  const what = colour === undefined ? "identical" : `a single colour (RGB ${colour})`;
  throw new ThawError(`all ${train.length} training images are ${what}: nothing can be learned`, {
    hint: "check the files: they may be masks, or 16-bit images whose values are too small to be visible (--pixel-range)",
  });
}

function refuseIdleRange(good: readonly GoodFile[], range: PixelRange | undefined): void {
  if (range === undefined || good.length === 0 || good.some(({ depth }) => depth)) return;
  throw new UsageError("--pixel-range: no image has more than 8 bits per sample", {
    hint: "leave it out: 8-bit images are used as they are",
  });
}

function unusableNotes(unusable: readonly Unusable[], parts: readonly SplitName[]): string[] {
  if (unusable.length === 0) return [];
  const counts = splitOrder.flatMap((split) => {
    const count = unusable.filter((own) => own.split === split).length;
    return count === 0 ? [] : [`${count} ${splitNames[split]}`];
  });
  const named = someOf(unusable.map(({ file, reason }) => `${file} (${reason})`));
  return [
    `warning: ${countOf(unusable.length)} cannot be used and ${unusable.length === 1 ? "is" : "are"} left out${parts.length === 1 ? "" : ` (${counts.join(", ")})`}: ${named}`,
  ];
}

const splitNames: Readonly<Record<SplitName, string>> = {
  train: "training",
  val: "validation",
  test: "test",
};

/** Fewer bits than that of 16 are worth a word: three quarters of the grey levels would be empty. */
const FEW_BITS = 14;

/** Where no file says how many of its bits are used, and no image uses many. */
function depthNotes(good: readonly GoodFile[]): string[] {
  const deep = good.flatMap(({ depth }) => (depth?.from === "type" ? [depth] : []));
  if (deep.length === 0) return [];
  const most = deep.reduce((largest, own) => Math.max(largest, own.most ?? 0), 0);
  const bits = Math.max(8, Math.ceil(Math.log2(most + 1)));
  if (bits > FEW_BITS) return [];
  const levels = Math.floor(most / 256) + 1;
  const white = (2 ** bits - 1).toString();
  return [
    `warning: the values of ${deep.length} 16-bit images only go up to ${most} of 65535, which uses ${levels} of 256 grey levels: if ${white} is white, use --pixel-range 0,${white}`,
  ];
}

function pageNotes(good: readonly GoodFile[]): string[] {
  const count = good.filter(({ pages }) => pages !== undefined).length;
  return count === 0
    ? []
    : [
        `warning: only the first page is used of ${count} TIFF ${count === 1 ? "file" : "files"} with several pages`,
      ];
}
