import type { SplitName } from "../folders/listing.ts";
import { splitOrder } from "../folders/manifest.ts";
import { NEAR_DISTANCE, nearPairs } from "./near.ts";
import type { Damaged, Survey, SurveyedImage } from "./survey.ts";

/** An image as a report names it. */
export interface ImageName {
  readonly name: string;
  readonly className: string;
  readonly split: SplitName | null;
}

/** Images that are one and the same. */
export interface DuplicateGroups {
  /** Images that another one equals, the first of each group not counted. */
  readonly extra: number;
  readonly groups: number;
  /** Groups that stand in two splits, or in two classes. */
  readonly acrossSplits: number;
  readonly acrossClasses: number;
  /** The first groups, those across splits in front. */
  readonly shown: readonly (readonly ImageName[])[];
}

export interface NearDuplicate {
  readonly a: ImageName;
  readonly b: ImageName;
  readonly distance: number;
}

/** What `thaw data info --json` prints. */
export interface InfoReport {
  readonly name: string;
  readonly images: number;
  readonly classes: readonly string[];
  /** Images of each class by split; `all` where the source has no splits. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Largest class over smallest, of the training images. */
  readonly imbalance: {
    readonly ratio: number | null;
    readonly largest: string;
    readonly smallest: string;
  };
  readonly sizes: {
    readonly smallest: readonly [number, number];
    readonly median: readonly [number, number];
    readonly largest: readonly [number, number];
    readonly distinct: number;
  };
  readonly modes: Readonly<Record<string, number>>;
  readonly formats: Readonly<Record<string, number>>;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly damaged: readonly Damaged[];
  readonly exact: {
    /** Null where images are not files of their own. */
    readonly bytes: DuplicateGroups | null;
    readonly pixels: DuplicateGroups;
  };
  readonly near: {
    readonly measure: string;
    readonly threshold: number;
    /** Exact duplicates not counted. */
    readonly pairs: number;
    readonly acrossSplits: number;
    readonly acrossClasses: number;
    readonly truncated: boolean;
    /** Images without a pattern, which were not compared. */
    readonly flat: number;
    /** Those across splits in front, then the nearest. */
    readonly shown: readonly NearDuplicate[];
  };
  readonly notes: readonly string[];
}

/** The report with what the contact sheet draws of it: rows of the survey. */
export interface Examination {
  readonly report: InfoReport;
  /** [a, b, distance], in the order of `report.near.shown`. */
  readonly nearRows: readonly (readonly [number, number, number])[];
}

const SHOWN = 40;

/** Looks for what makes trainings fail: damage, imbalance, leaks. The native engine must be loaded. */
export function examineSurvey(survey: Survey, threshold = NEAR_DISTANCE): Examination {
  const { images, damaged, classes } = survey;
  const near = nearPairs(survey.thumbnails, threshold);
  const pairs = near.pairs.filter(({ a, b }) => images[a]!.pixels !== images[b]!.pixels);
  const acrossSplits = pairs.filter(({ a, b }) => images[a]!.split !== images[b]!.split);
  const within = pairs.filter(({ a, b }) => images[a]!.split === images[b]!.split);
  const shown = [...acrossSplits, ...within].slice(0, SHOWN);
  const hasFiles = images.some(({ sha256 }) => sha256 !== undefined);
  const counts = countsOf(survey);
  const report: InfoReport = {
    name: survey.name,
    images: images.length,
    classes,
    counts,
    imbalance: imbalanceOf(counts),
    sizes: sizesOf(images),
    modes: tally(images.map(({ mode }) => mode)),
    formats: tally(images.flatMap(({ format }) => format ?? [])),
    mean: survey.statistics.mean,
    std: survey.statistics.std,
    damaged,
    exact: {
      bytes: hasFiles ? duplicates(images, ({ sha256 }) => sha256!) : null,
      pixels: duplicates(images, ({ pixels }) => pixels),
    },
    near: {
      measure: "1 − correlation of 28 × 28 grey thumbnails",
      threshold,
      pairs: pairs.length,
      acrossSplits: acrossSplits.length,
      acrossClasses: pairs.filter(({ a, b }) => images[a]!.className !== images[b]!.className)
        .length,
      truncated: near.truncated,
      flat: near.flat,
      shown: shown.map(({ a, b, distance }) => ({
        a: nameOf(images[a]!),
        b: nameOf(images[b]!),
        distance,
      })),
    },
    notes: survey.notes,
  };
  return { report, nearRows: shown.map(({ a, b, distance }) => [a, b, distance]) };
}

function countsOf({ images, classes }: Survey): Record<string, Record<string, number>> {
  const present = splitOrder.filter((split) => images.some((image) => image.split === split));
  const columns: readonly string[] = present.length > 0 ? present : ["all"];
  const counts = Object.fromEntries(
    classes.map((name) => [name, Object.fromEntries(columns.map((column) => [column, 0]))]),
  );
  for (const { className, split } of images) counts[className]![split ?? "all"]!++;
  return counts;
}

function imbalanceOf(counts: InfoReport["counts"]): InfoReport["imbalance"] {
  const sizes = Object.entries(counts)
    .map(([name, row]) => ({ name, count: row["train"] ?? row["all"] ?? 0 }))
    .sort((a, b) => b.count - a.count);
  const [largest, smallest] = [sizes[0], sizes.at(-1)];
  const ratio = smallest?.count ? largest!.count / smallest.count : null;
  return { ratio, largest: largest?.name ?? "", smallest: smallest?.name ?? "" };
}

function sizesOf(images: readonly SurveyedImage[]): InfoReport["sizes"] {
  const bySize = [...images].sort((a, b) => a.width * a.height - b.width * b.height);
  const size = (at: number): [number, number] => {
    const image = bySize[at];
    return [image?.width ?? 0, image?.height ?? 0];
  };
  return {
    smallest: size(0),
    median: size(Math.floor(bySize.length / 2)),
    largest: size(bySize.length - 1),
    distinct: new Set(images.map(({ width, height }) => `${width}x${height}`)).size,
  };
}

/** How often each value occurs, the most frequent first. */
function tally(values: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
}

function duplicates(
  images: readonly SurveyedImage[],
  keyOf: (image: SurveyedImage) => string,
): DuplicateGroups {
  const byKey = new Map<string, SurveyedImage[]>();
  for (const image of images) {
    const group = byKey.get(keyOf(image));
    if (group) group.push(image);
    else byKey.set(keyOf(image), [image]);
  }
  const groups = [...byKey.values()].filter(({ length }) => length > 1);
  const differ = (of: (image: SurveyedImage) => unknown) =>
    groups.filter((group) => new Set(group.map(of)).size > 1);
  const leaks = differ(({ split }) => split);
  const first = [...leaks, ...groups.filter((group) => !leaks.includes(group))].slice(0, SHOWN);
  return {
    extra: groups.reduce((sum, { length }) => sum + length - 1, 0),
    groups: groups.length,
    acrossSplits: leaks.length,
    acrossClasses: differ(({ className }) => className).length,
    shown: first.map((group) => group.map(nameOf)),
  };
}

function nameOf({ name, className, split }: SurveyedImage): ImageName {
  return { name, className, split: split ?? null };
}
