import fc from "fast-check";
import { expect, test } from "vitest";
import { channelStatistics } from "./statistics.ts";

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
