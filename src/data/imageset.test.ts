import { expect, test } from "vitest";
import { classCounts, type ImageSet, subset } from "./imageset.ts";

const set: ImageSet = {
  images: Uint8Array.from({ length: 6 * 8 }, (_, i) => i),
  labels: Uint8Array.of(0, 1, 2, 0, 1, 2),
  count: 6,
  channels: 2,
  height: 2,
  width: 2,
  classes: ["a", "b", "c"],
};

test("a scattered subset copies the images and labels in the order asked for", () => {
  const part = subset(set, Int32Array.of(4, 5, 1));
  expect(part.count).toBe(3);
  expect([...part.labels]).toEqual([1, 2, 1]);
  expect([...part.images]).toEqual([...set.images.subarray(32, 48), ...set.images.subarray(8, 16)]);
  expect([...part.indices!]).toEqual([4, 5, 1]);
  expect(part.images.buffer).not.toBe(set.images.buffer);
});

test("an unbroken run shares the memory", () => {
  const part = subset(set, Int32Array.of(2, 3, 4));
  expect(part.images.buffer).toBe(set.images.buffer);
  expect([...part.images]).toEqual([...set.images.subarray(16, 40)]);
  expect([...part.labels]).toEqual([2, 0, 1]);
});

test("a subset of a subset remembers the rows of the source", () => {
  const part = subset(subset(set, Int32Array.of(5, 3, 1)), Int32Array.of(2, 0));
  expect([...part.indices!]).toEqual([1, 5]);
  expect([...part.labels]).toEqual([1, 2]);
});

test("the empty subset", () => {
  const part = subset(set, new Int32Array(0));
  expect([part.count, part.images.length, part.labels.length]).toEqual([0, 0, 0]);
});

test("arrays of Buffers come out as plain arrays", () => {
  const buffers = { ...set, images: Buffer.from(set.images), labels: Buffer.from(set.labels) };
  const part = subset(buffers, Int32Array.of(0, 2));
  expect(part.labels.constructor).toBe(Uint8Array);
  expect(part.images.constructor).toBe(Uint8Array);
});

test("an index outside the set is an error", () => {
  expect(() => subset(set, Int32Array.of(6))).toThrow("index 6 is outside a set of 6 images");
  expect(() => subset(set, Int32Array.of(-1))).toThrow("index -1");
});

test("a label outside the class list is an error that says which", () => {
  const bad = { classes: set.classes, labels: Uint8Array.of(0, 1, 3) };
  expect(() => classCounts(bad, "training split")).toThrow(
    "training split: image 2 has label 3, but there are 3 classes (0 to 2)",
  );
  expect([...classCounts(set, "x")]).toEqual([2, 2, 2]);
});
