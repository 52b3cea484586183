import fc from "fast-check";
import { expect, test } from "vitest";
import { ExitCode, type UsageError } from "../errors.ts";
import type { ImageSet } from "./imageset.ts";
import { type SplitChoice, splitSets } from "./splits.ts";

const classes = ["T-shirt/top", "Trouser", "Pullover", "Dress"];

/** One pixel an image, its row number: so that an image can be told again. */
function rows(count: number, of: readonly string[] = classes): ImageSet {
  return {
    images: Uint8Array.from({ length: count }, (_, i) => i),
    labels: Uint8Array.from({ length: count }, (_, i) => i % of.length),
    count,
    channels: 1,
    height: 1,
    width: 1,
    classes: of,
  };
}

const source = { train: rows(200), test: rows(40) };
const sizes = (choice: Omit<SplitChoice, "seed">) => {
  const { train, val, test } = splitSets(source, { seed: 42, ...choice });
  return [train.count, val.count, test.count];
};
const countsOf = (set: ImageSet) =>
  set.classes.map((_, label) => set.labels.filter((l: number) => l === label).length);
const failure = (choice: Omit<SplitChoice, "seed">): UsageError => {
  try {
    splitSets(source, { seed: 42, ...choice });
  } catch (error) {
    expect((error as UsageError).exitCode).toBe(ExitCode.usage);
    return error as UsageError;
  }
  throw new Error("nothing was thrown");
};

test("a tenth of the training images is for validation, in proportion", () => {
  const { train, val, test } = splitSets(source, { seed: 42 });
  expect(countsOf(train)).toEqual([45, 45, 45, 45]);
  expect(countsOf(val)).toEqual([5, 5, 5, 5]);
  expect(test).toBe(source.test);
});

test("sizes are counts or fractions", () => {
  expect(sizes({ valSize: 40 })).toEqual([160, 40, 40]);
  expect(sizes({ valSize: 0.25 })).toEqual([150, 50, 40]);
  expect(sizes({ valSize: 0 })).toEqual([200, 0, 40]);
  expect(sizes({ trainSize: 90 })).toEqual([90, 10, 40]);
  expect(sizes({ trainSize: 0.45 })).toEqual([90, 10, 40]);
  expect(sizes({ trainSize: 54, valSize: 6, testSize: 10 })).toEqual([54, 6, 10]);
  expect(sizes({ testSize: 0.5 })).toEqual([180, 20, 20]);
  expect(sizes({ perClass: 20 })).toEqual([72, 8, 40]);
  expect(sizes({ perClass: 20, valSize: 20 })).toEqual([60, 20, 40]);
});

test("a test split out of the training images", () => {
  expect(sizes({ testFrom: "train", testSize: 100 })).toEqual([90, 10, 100]);
  const { train, val, test, notes } = splitSets(source, {
    seed: 1,
    testFrom: "train",
    testSize: 40,
    perClass: 10,
  });
  expect([train, val, test].map(countsOf)).toEqual([
    [9, 9, 9, 9],
    [1, 1, 1, 1],
    [10, 10, 10, 10],
  ]);
  expect(notes[0]).toContain("40 test images are held out of the training split");
  expect(notes[0]).toContain("the source's own test split is not used");
  const missing = failure({ testFrom: "train" });
  expect([missing.message, missing.hint]).toEqual([
    "--test-from train: how many of the training images are for the test?",
    "give --test-size",
  ]);
});

test("a test split out of the training images is the same for every seed, class and size of the rest", () => {
  const held = (choice: Partial<SplitChoice>) =>
    splitSets(source, { seed: 42, testFrom: "train", testSize: 40, ...choice });
  const first = held({});
  const other = held({ seed: 7 });
  expect([...other.test.images]).toEqual([...first.test.images]);
  expect([...first.test.indices!]).toEqual([...first.test.images]);
  expect([...other.val.images]).not.toEqual([...first.val.images]);
  const small = held({ seed: 3, trainSize: 60, valSize: 20 });
  expect([...small.test.images]).toEqual([...first.test.images]);
  const two = held({ classes: ["Trouser", "Dress"], testSize: 20 });
  expect([...two.test.images]).toEqual([...first.test.images].filter((row) => row % 2 === 1));
  for (const { train, val, test } of [first, other, small, two]) {
    const rows = [train, val, test].flatMap((set) => [...set.indices!]);
    expect(new Set(rows).size).toBe(rows.length);
  }
});

test("a test split out of the training images leaves a source's own validation images", () => {
  const choice = { seed: 42, testFrom: "train", testSize: 40 } as const;
  const { train, val, test, notes } = splitSets({ train: rows(200), val: rows(20) }, choice);
  expect([train.count, val.count, test.count]).toEqual([160, 20, 40]);
  expect(notes).toEqual([
    "the 40 test images are held out of the training split, by the seed 42 whatever --seed is",
  ]);
});

test("classes are picked by name, in the order in which they are named, and renumbered", () => {
  const picked = splitSets(source, { seed: 42, classes: ["dress", "Trouser"] });
  expect(picked.train.classes).toEqual(["Dress", "Trouser"]);
  expect(countsOf(picked.train)).toEqual([45, 45]);
  expect(countsOf(picked.test)).toEqual([10, 10]);
  const { images, labels } = picked.train;
  images.forEach((row, i) => {
    expect(row % 4).toBe([3, 1][labels[i]!]);
  });
  // The rows are those of the source's own split.
  expect([...picked.train.indices!]).toEqual([...images]);
});

test("which images of a class are drawn does not depend on the other classes", () => {
  const ofTrouser = (names: string[]) => {
    const { val } = splitSets(source, { seed: 42, classes: names });
    return [...val.images].filter((row) => row % 4 === 1);
  };
  expect(ofTrouser(["Trouser", "Dress"])).toEqual(ofTrouser(classes));
});

test("an unknown class is a usage error with the nearest name", () => {
  const error = failure({ classes: ["Trouser", "Pulover"] });
  expect(error.message).toBe('--classes: there is no class "Pulover"');
  expect(error.hint).toContain('did you mean "Pullover"?');
  expect(error.hint).toContain("T-shirt/top, Trouser");
  expect(failure({ classes: ["Dress", "dress"] }).message).toContain("Dress is named twice");
  expect(failure({ classes: ["Dress"] }).message).toContain("1 class is nothing to tell apart");
});

test("impossible sizes are usage errors with the numbers", () => {
  expect(failure({ trainSize: 190 }).message).toContain("190 + 21 images, but there are 200");
  expect(failure({ trainSize: 200, valSize: 1 }).hint).toContain("--val-size 0");
  expect(failure({ valSize: 200 }).message).toContain("nothing of 200 images would be left");
  expect(failure({ testSize: 41 }).message).toContain("there are 40 test images");
  expect(failure({ testSize: 0 }).message).toContain("--test-size 0");
  expect(failure({ testFrom: "train", testSize: 200 }).message).toContain("200 training images");
  expect(failure({ testFrom: "train", testSize: 201 }).hint).toContain("leave some to train on");
  for (const bad of [-1, 2.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(failure({ valSize: bad }).message).toContain(`--val-size ${bad}`);
    expect(failure({ trainSize: bad }).message).toContain(`--train-size ${bad}`);
    expect(failure({ testSize: bad }).message).toContain(`--test-size ${bad}`);
    expect(failure({ perClass: bad }).message).toContain(`--per-class ${bad}`);
  }
});

test("a class with fewer images than --per-class is said", () => {
  expect(splitSets(source, { seed: 42, perClass: 80 }).notes[0]).toContain(
    "fewer than 80 training images, all used, of: T-shirt/top",
  );
});

test("splits are disjoint, of the sizes asked for, and the same for the same seed", () => {
  const choice = fc.record({
    seed: fc.maxSafeInteger(),
    trainSize: fc.integer({ min: 1, max: 100 }),
    valSize: fc.nat(50),
    testSize: fc.integer({ min: 1, max: 50 }),
    testFrom: fc.constantFrom("train" as const),
  });
  fc.assert(
    fc.property(choice, (wanted) => {
      const { train, val, test } = splitSets(source, wanted);
      expect([train.count, val.count, test.count]).toEqual([
        wanted.trainSize,
        wanted.valSize,
        wanted.testSize,
      ]);
      const all = [train, val, test].flatMap((set) => [...set.images]);
      expect(new Set(all).size).toBe(all.length);
      for (const set of [train, val, test]) {
        const counts = countsOf(set);
        // Held out of what was held out: each stage is within one image.
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
      }
      expect(splitSets(source, wanted)).toEqual({ train, val, test, notes: expect.anything() });
    }),
  );
});
