import { ThawError } from "../errors.ts";
import { tooFewClasses } from "./folders/require-classes.ts";
import { classCounts, type SplitSet } from "./imageset.ts";

/**
 * What a user should hear about a split before training on it, one sentence each.
 * @throws ThawError for a label outside the class list, no training or test images, a class that could be asked for but
 * never learnt, and a single class.
 */
export function checkSplits(splits: {
  readonly train: SplitSet;
  readonly val: SplitSet;
  readonly test: SplitSet;
}): string[] {
  const { classes } = splits.train;
  const train = classCounts(splits.train, "training split");
  const val = classCounts(splits.val, "validation split");
  const test = classCounts(splits.test, "test split");
  for (const [name, set] of [
    ["training", splits.train],
    ["test", splits.test],
  ] as const) {
    if (set.count === 0) {
      throw new ThawError(`the ${name} split has no images`, {
        hint: "check the data, --classes and the sizes asked for",
      });
    }
  }
  const having = (...groups: ((label: number) => boolean)[]) =>
    classes.filter((_, label) => groups.every((group) => group(label)));
  const inTrain = (label: number) => train[label]! > 0;
  const elsewhere = (label: number) => val[label]! + test[label]! > 0;

  const unlearnt = having((label) => !inTrain(label), elsewhere);
  if (unlearnt.length > 0) {
    throw new ThawError(
      `no training image, but validation or test images, of: ${unlearnt.join(", ")}`,
      {
        hint: "give these classes training images, or leave them out with --classes",
      },
    );
  }
  requireTwoClasses(splits.train, "the training split");
  const notes: string[] = [];
  const warn = (text: string, names: readonly string[]) => {
    if (names.length > 0) notes.push(`warning: ${text}: ${names.join(", ")}`);
  };
  warn(
    "no image at all of",
    having((label) => !inTrain(label)),
  );
  if (splits.val.count > 0) {
    warn(
      "no validation image of",
      having(inTrain, (label) => val[label] === 0),
    );
  } else {
    notes.push("no validation split: no best epoch can be chosen, nor can training stop early");
  }
  warn(
    "no test image of",
    having(inTrain, (label) => test[label] === 0),
  );
  return notes;
}

/** @throws UsageError for a training set in which there is nothing to tell apart, wherever it comes from. */
export function requireTwoClasses(train: SplitSet, where: string): void {
  const counts = classCounts(train, where);
  const found = train.classes.filter((_, label) => counts[label]! > 0);
  if (found.length < 2) throw tooFewClasses(where, found);
}
