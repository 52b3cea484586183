import fc from "fast-check";
import { expect, test } from "vitest";
import type { ImageSet } from "./imageset.ts";
import { channelStatistics, refuseIdentical, usableStatistics } from "./statistics.ts";

test("mean and population deviation of each channel, against the plain formula", () => {
  const shape = fc.record({
    count: fc.integer({ min: 1, max: 5 }),
    channels: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 1, max: 5 }),
    width: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(shape, fc.infiniteStream(fc.nat(255)), (size, pixels) => {
      const { count, channels, height, width } = size;
      const images = new Uint8Array(count * channels * height * width);
      for (let i = 0; i < images.length; i++) images[i] = pixels.next().value;
      const got = channelStatistics({
        ...size,
        images,
        labels: new Uint8Array(count),
        classes: [],
      });
      for (let channel = 0; channel < channels; channel++) {
        const values = [...images]
          .filter((_, i) => Math.floor(i / (height * width)) % channels === channel)
          .map((value) => value / 255);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const variance =
          values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
        expect(got.mean[channel]).toBeCloseTo(mean, 12);
        expect(got.std[channel]).toBeCloseTo(Math.sqrt(variance), 6);
      }
    }),
    { numRuns: 50 },
  );
});

test("white images larger than a block do not overflow", () => {
  const images = new Uint8Array(300 * 300).fill(255);
  const set = { images, labels: Uint8Array.of(0), count: 1, channels: 1, height: 300, width: 300 };
  expect(channelStatistics({ ...set, classes: ["a"] })).toEqual({ mean: [1], std: [0] });
});

/** Two images of 20 × 20 pixels in three channels. */
function twoImages(value: (channel: number, pixel: number, image: number) => number): ImageSet {
  const size = 400;
  const images = Uint8Array.from({ length: 2 * 3 * size }, (_, i) =>
    value(Math.floor(i / size) % 3, i % size, Math.floor(i / (3 * size))),
  );
  const classes = ["a", "b"];
  return {
    images,
    labels: Uint8Array.of(0, 1),
    count: 2,
    channels: 3,
    height: 20,
    width: 20,
    classes,
  };
}

test("a channel that is the same everywhere has no deviation to divide by", () => {
  // 37: rounding would leave a deviation of 1e-9 or so.
  const set = twoImages((channel, pixel) => [37, pixel % 200, 255][channel]!);
  expect(channelStatistics(set).std[0]).toBe(0);
  const { statistics, notes } = usableStatistics(set);
  expect([statistics.std[0], statistics.std[2]]).toEqual([1, 1]);
  expect(statistics.std[1]).toBeCloseTo(0.2264, 3);
  expect(notes).toEqual([
    "warning: red is 37 and blue is 255 at every pixel of the training images, or nearly: a standard deviation of 1 is used instead",
  ]);
  expect(usableStatistics(twoImages((_, pixel) => pixel % 200)).notes).toEqual([]);
});

test("all images the same: the cause is said, whatever they show", () => {
  expect(() => refuseIdentical(twoImages(() => 0))).toThrow(
    "all 2 training images are uniform, with 0 at every pixel: nothing can be learned",
  );
  expect(() => refuseIdentical(twoImages((channel, pixel) => pixel % (channel + 2)))).toThrow(
    "all 2 training images are identical: nothing can be learned",
  );
  expect(() =>
    refuseIdentical(twoImages((_, pixel, image) => (pixel === 399 ? image : 0))),
  ).not.toThrow();
});
