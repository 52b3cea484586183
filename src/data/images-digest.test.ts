import { expect, it } from "vitest";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import type { FileImageSet } from "./fileset.ts";
import { imageNames, imagesDigest } from "./images-digest.ts";

const files = (...names: string[]): FileImageSet => ({
  files: names,
  labels: Int32Array.from(names, (_, i) => i % 2),
  count: names.length,
  classes: ["cat", "dog"],
  stamps: names.map(() => "stat:1:1"),
});

it("tells apart other images, other labels and another order, and not another place", () => {
  const { test } = sampleSplits();
  const digest = imagesDigest(test);
  expect(imagesDigest({ ...test, images: test.images.slice() })).toBe(digest);
  const pixels = test.images.slice();
  pixels[7]! ^= 1;
  expect(imagesDigest({ ...test, images: pixels })).not.toBe(digest);
  const labels = test.labels.slice();
  labels[3] = (labels[3]! + 1) % test.classes.length;
  expect(imagesDigest({ ...test, labels })).not.toBe(digest);
  const here = files("/a/test/cat/1.jpg", "/a/test/dog/2.jpg");
  expect(imagesDigest(files("/b/c/cat/1.jpg", "/b/c/dog/2.jpg"))).toBe(imagesDigest(here));
  expect(imagesDigest(files("/a/test/dog/2.jpg", "/a/test/cat/1.jpg"))).not.toBe(
    imagesDigest(here),
  );
});

it("names files below the folder they share, one class with its folder", () => {
  expect(imageNames(files("/a/test/cat/1.jpg", "/a/test/dog/2.jpg"))).toEqual([
    "cat/1.jpg",
    "dog/2.jpg",
  ]);
  expect(imageNames(files("/a/cat/1.jpg", "/a/cat/2.jpg"))).toEqual(["cat/1.jpg", "cat/2.jpg"]);
  expect(imageNames(sampleSplits().test)).toBeUndefined();
});
