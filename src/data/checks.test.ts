import { expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { checkSplits, requireTwoClasses } from "./checks.ts";
import type { ImageSet } from "./imageset.ts";

const of = (...labels: number[]): ImageSet => ({
  images: new Uint8Array(labels.length),
  labels: Uint8Array.from(labels),
  count: labels.length,
  channels: 1,
  height: 1,
  width: 1,
  classes: ["a", "b", "c"],
});

test("nothing is said of splits that have every class", () => {
  expect(checkSplits({ train: of(0, 1, 2), val: of(0, 1, 2), test: of(2, 1, 0) })).toEqual([]);
});

test("a class missing from a split is a warning by name", () => {
  expect(checkSplits({ train: of(0, 1), val: of(0), test: of(1) })).toEqual([
    "warning: no image at all of: c",
    "warning: no validation image of: b",
    "warning: no test image of: a",
  ]);
});

test("no validation at all is said once", () => {
  const notes = checkSplits({ train: of(0, 1, 2), val: of(), test: of(0, 1, 2) });
  expect(notes).toHaveLength(1);
  expect(notes[0]).toContain("no validation split");
});

test("a class that can never be learnt, empty splits and strange labels are errors", () => {
  expect(() => checkSplits({ train: of(0, 1), val: of(2), test: of(0) })).toThrow(
    "no training image, but validation or test images, of: c",
  );
  expect(() => checkSplits({ train: of(), val: of(), test: of() })).toThrow(
    "the training split has no images",
  );
  expect(() => checkSplits({ train: of(0), val: of(), test: of() })).toThrow(
    "the test split has no images",
  );
  expect(() => checkSplits({ train: of(0, 1), val: of(5), test: of(0) })).toThrow(
    "validation split: image 0 has label 5",
  );
});

test("one class is nothing to tell apart, wherever the images come from", () => {
  const refusal = "the training split: all images belong to one class, a";
  expect(() => checkSplits({ train: of(0, 0), val: of(0), test: of(0) })).toThrow(refusal);
  expect(() => requireTwoClasses(of(0, 0), "the training split")).toThrow(UsageError);
  requireTwoClasses(of(0, 2), "mine");
});
