import { UsageError } from "../errors.ts";
import { classFinder, unknownClass } from "./class-names.ts";
import { classCounts, type SplitSet, subset } from "./imageset.ts";
import { apportion, drawStratified, shareOut } from "./stratify.ts";

/**
 * Which images of a source a run uses. A size is a number of images (1 or more) or a fraction (below
 * 1) of what it is taken from.
 */
export interface SplitChoice {
  readonly seed: number;
  /** Only these classes, in this order; which images are drawn does not depend on it. */
  readonly classes?: readonly string[] | undefined;
  /** At most so many images of each class for training and validation together. */
  readonly perClass?: number | undefined;
  /** Of the training images; default: what validation leaves. */
  readonly trainSize?: number | undefined;
  /**
   * Of the training images in use; default 0.1, or 0.15 of all where the source has no split at all.
   * 0 for none. Where the source has validation images of its own: of those, default all.
   */
  readonly valSize?: number | undefined;
  /** Default: the whole test split; 0.15 of the training images where the source has none. */
  readonly testSize?: number | undefined;
  /**
   * "train": `testSize` images are held out of the training split, by the same seed whatever `seed` is, and the
   * source's own test split is not used. Then only these depend on `seed`: which images validation and training have.
   */
  readonly testFrom?: "test" | "train" | undefined;
  /**
   * How images are drawn. "shuffle" (default): by their number, so that one more image deals all of them anew. "names":
   * by a hash of the seed and each image's own name, so that images which are added leave the others where they were,
   * but for those at the borders of the splits, whose sizes change. Sets without names are always shuffled.
   */
  readonly draw?: "shuffle" | "names" | undefined;
}

/** What a source has: a split that is absent is taken from its training images. */
export interface SourceSets<S extends SplitSet> {
  readonly train: S;
  readonly val?: S;
  readonly test?: S;
}

export interface SplitSets<S extends SplitSet> {
  readonly train: S;
  readonly val: S;
  readonly test: S;
  readonly notes: readonly string[];
}

const DEFAULT_VAL_FRACTION = 0.1;
/** Of a source without any split, for validation and as much for the test. */
const HELD_OUT_FRACTION = 0.15;
/** Of a test set that is asked for out of the training images: runs of all seeds are judged on the same images. */
const HOLD_OUT_SEED = 42;

/**
 * Splits a source's training and test images as `choice` says: stratified, seeded, of exact sizes.
 * Of each training class, in an order drawn for it, the first images go to a test split held out
 * (if any), the next to validation, the next to training.
 * @throws UsageError if the choice is not possible, with the numbers.
 */
export function splitSets<S extends SplitSet>(
  source: SourceSets<S>,
  asked: SplitChoice,
): SplitSets<S> {
  const order = chosenClasses(source.train.classes, asked.classes);
  // Drawn in the source's order: shares that are no whole numbers are rounded by it.
  const classes = source.train.classes.filter((name) => order.includes(name));
  return inClassOrder(drawSets(source, { ...asked, classes }), order);
}

/** The same images with another order of classes. */
export function inClassOrder<S extends SplitSet>(
  sets: SplitSets<S>,
  classes: readonly string[],
): SplitSets<S> {
  const { train, val, test } = sets;
  const ordered = (set: S) => withClasses(set, classes);
  return { ...sets, train: ordered(train), val: ordered(val), test: ordered(test) };
}

function drawSets<S extends SplitSet>(source: SourceSets<S>, asked: SplitChoice): SplitSets<S> {
  if (asked.testFrom === "train") return splitBesideHeldOut(source, asked);
  const { choice, notes } = withDefaults(source, asked);
  const { classes = source.train.classes } = choice;
  const trainPool = withClasses(source.train, classes);

  const counts = [...classCounts(trainPool, "training split")];
  const heldOut = heldOutTest(counts, choice);
  let left = counts.map((count, label) => count - heldOut[label]!);
  if (choice.perClass !== undefined) {
    const limit = wholeNumber("--per-class", choice.perClass, 1);
    const short = classes.filter((_, label) => left[label]! < limit);
    if (short.length > 0) {
      notes.push(`fewer than ${limit} training images, all used, of: ${short.join(", ")}`);
    }
    left = left.map((count) => Math.min(count, limit));
  }
  const own = { ...choice, ...(source.val && { valSize: 0 }) };
  const [val, train] = trainAndValSizes(sum(left), own);
  const shares = shareOut(left, [val, train]);
  const quotas = shares.map(([v, t], label) => [heldOut[label]!, v!, t!]);
  const [testRows, valRows, trainRows] = drawStratified(
    trainPool.labels,
    classes,
    quotas,
    choice.seed,
    "train",
    namesFor(trainPool, choice),
  ) as [Int32Array, Int32Array, Int32Array];

  return {
    train: subset(trainPool, trainRows),
    val: source.val
      ? ownPart(withClasses(source.val, classes), "val", choice)
      : subset(trainPool, valRows),
    test: source.test
      ? ownPart(withClasses(source.test, classes), "test", choice)
      : subset(trainPool, testRows),
    notes,
  };
}

/** Holds the test images out of the training split, whatever the run's seed, and splits what they leave. */
function splitBesideHeldOut<S extends SplitSet>(
  source: SourceSets<S>,
  choice: SplitChoice,
): SplitSets<S> {
  const { classes = source.train.classes } = choice;
  const pool = withClasses(source.train, classes);
  const quotas = heldOutTest([...classCounts(pool, "training split")], choice).map((n) => [n]);
  const [rows] = drawStratified(
    pool.labels,
    classes,
    quotas,
    HOLD_OUT_SEED,
    "test from train",
    namesFor(pool, choice),
  ) as [Int32Array];
  const heldOut = new Set(rows);
  const rest = Int32Array.from({ length: pool.count }, (_, row) => row).filter(
    (row) => !heldOut.has(row),
  );
  const { val } = source;
  const left = { train: subset(pool, rest), ...(val && { val }), test: subset(pool, rows) };
  const split = drawSets(left, { ...choice, classes, testFrom: "test", testSize: undefined });
  const unused = source.test ? "; the source's own test split is not used" : "";
  const note = `the ${rows.length} test images are held out of the training split, by the seed ${HOLD_OUT_SEED} whatever --seed is${unused}`;
  return { ...split, notes: [note, ...split.notes] };
}

/** What is not asked for and not in the source is held out of the training images, and said. */
function withDefaults<S extends SplitSet>(
  { val, test }: SourceSets<S>,
  choice: SplitChoice,
): { choice: SplitChoice; notes: string[] } {
  if (test) return { choice, notes: [] };
  const { testSize = HELD_OUT_FRACTION } = choice;
  const wholePool = val === undefined && choice.valSize === undefined;
  // A fraction of what the test images leave.
  const valSize = wholePool && testSize < 1 ? HELD_OUT_FRACTION / (1 - testSize) : choice.valSize;
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const note = !(testSize < 1)
    ? `no test split: ${testSize} images are held out of the training images by the seed`
    : wholePool
      ? `no split: the images are split ${percent(1 - testSize - HELD_OUT_FRACTION)} training, ${percent(HELD_OUT_FRACTION)} validation, ${percent(testSize)} test, every class in proportion, by the seed`
      : `no test split: ${percent(testSize)} of the training images are held out, every class in proportion, by the seed`;
  return { choice: { ...choice, valSize, testSize, testFrom: "train" }, notes: [note] };
}

/** The named classes in the order in which they are named; an unknown name is an error with the nearest one. */
export function chosenClasses(
  all: readonly string[],
  wanted: readonly string[] | undefined,
): readonly string[] {
  if (wanted === undefined) return all;
  const find = classFinder(all);
  const chosen = new Set<string>();
  for (const name of wanted) {
    const match = all[find(name.trim())];
    if (match === undefined) throw unknownClass("--classes", name, all);
    if (chosen.has(match)) throw new UsageError(`--classes: ${match} is named twice`);
    chosen.add(match);
  }
  if (chosen.size < 2) {
    throw new UsageError(`--classes: ${chosen.size} class is nothing to tell apart`, {
      hint: "name two classes or more, with commas between them",
    });
  }
  return [...chosen];
}

/** The images of `classes` alone, their labels renumbered to that list. */
export function withClasses<S extends SplitSet>(set: S, classes: readonly string[]): S {
  if (
    classes.length === set.classes.length &&
    classes.every((name, i) => set.classes[i] === name)
  ) {
    return set;
  }
  const renumbered = set.classes.map((name) => classes.indexOf(name));
  const relabelled = (labels: S["labels"]) => labels.map((label: number) => renumbered[label]!);
  if (renumbered.every((label) => label >= 0)) {
    return { ...set, classes, labels: relabelled(set.labels) };
  }
  const rows: number[] = [];
  for (let i = 0; i < set.count; i++) {
    if (renumbered[set.labels[i]!]! >= 0) rows.push(i);
  }
  const part = subset(set, Int32Array.from(rows));
  return { ...part, classes, labels: relabelled(part.labels) };
}

/** [classes], how many images the test split takes from the training split. */
function heldOutTest(counts: readonly number[], choice: SplitChoice): number[] {
  if (choice.testFrom !== "train") return counts.map(() => 0);
  if (choice.testSize === undefined) {
    throw new UsageError("--test-from train: how many of the training images are for the test?", {
      hint: "give --test-size",
    });
  }
  const all = sum(counts);
  const size = resolveSize("--test-size", choice.testSize, all);
  if (size < 1 || size >= all) {
    throw new UsageError(`--test-size ${choice.testSize}: there are ${all} training images`, {
      hint: "ask for 1 or more, and leave some to train on",
    });
  }
  return shareOut(counts, [size, all - size]).map(([share]) => share!);
}

/** [validation, training] images out of `available`. */
function trainAndValSizes(available: number, choice: SplitChoice): [number, number] {
  const { valSize = DEFAULT_VAL_FRACTION } = choice;
  if (choice.trainSize === undefined) {
    const val = resolveSize("--val-size", valSize, available);
    if (val >= available) {
      throw new UsageError(
        `--val-size ${valSize}: nothing of ${available} images would be left to train on`,
      );
    }
    return [val, available - val];
  }
  const train = resolveSize("--train-size", choice.trainSize, available);
  if (train < 1) throw new UsageError(`--train-size ${choice.trainSize}: no image to train on`);
  // A fraction is of training and validation together, as it is without --train-size.
  const val =
    valSize < 1
      ? Math.round((train * fraction("--val-size", valSize)) / (1 - valSize))
      : resolveSize("--val-size", valSize, available);
  if (train + val > available) {
    throw new UsageError(
      `--train-size ${choice.trainSize} and --val-size ${valSize}: ${train} + ${val} images, but there are ${available}`,
      { hint: "ask for fewer, or for no validation with --val-size 0" },
    );
  }
  return [val, train];
}

/** All of a split that the source has, or as many of its images as are asked for. */
function ownPart<S extends SplitSet>(pool: S, part: "val" | "test", choice: SplitChoice): S {
  const { valSize, testSize, seed } = choice;
  const asked = part === "val" ? valSize : testSize;
  if (asked === undefined) return pool;
  const size = resolveSize(`--${part}-size`, asked, pool.count);
  if ((part === "test" && size < 1) || size > pool.count) {
    const name = part === "val" ? "validation" : "test";
    throw new UsageError(`--${part}-size ${asked}: there are ${pool.count} ${name} images`, {
      hint:
        part === "test"
          ? "ask for fewer, or hold them out of the training images with --test-from train"
          : "ask for fewer",
    });
  }
  const quotas = apportion(classCounts(pool, `${part} split`), [size]);
  const names = namesFor(pool, choice);
  return subset(pool, drawStratified(pool.labels, pool.classes, quotas, seed, part, names)[0]!);
}

function namesFor(set: SplitSet, { draw }: SplitChoice): readonly string[] | undefined {
  return draw === "names" && "files" in set ? set.names : undefined;
}

/** A count as it is, a fraction of `of` rounded. */
function resolveSize(flag: string, size: number, of: number): number {
  return size < 1 ? Math.round(of * fraction(flag, size)) : wholeNumber(flag, size, 0);
}

function fraction(flag: string, value: number): number {
  if (value >= 0 && value < 1) return value;
  throw new UsageError(`${flag} ${value}: want a number of images, or a fraction from 0 to 1`);
}

function wholeNumber(flag: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`${flag} ${value}: want a whole number of images, ${least} or more`);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
