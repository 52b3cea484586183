import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { resample } from "../../tensor/index.ts";
import { cropAt } from "../transforms/crops.ts";
import { decodeImage, PixelBuffer } from "./decode.ts";
import { type Interpolation, mirror, reduceTo, resizeAndCrop, resizedCrop } from "./picture.ts";

const fixtures = resolve(import.meta.dirname, "../../../test/fixtures/images");
const picture = await decodeImage(readFileSync(join(fixtures, "plain.jpg")), "plain.jpg");

type Size = [number, number];
interface Case {
  readonly filter: Interpolation;
  readonly crop: [number, number, number, number];
  readonly shorter: number;
  readonly size: Size;
  readonly pixels: string;
}
/** What torchvision makes of plain.jpg: test/oracle/pillow_resize.py. */
const expected = JSON.parse(readFileSync(join(fixtures, "resize.json"), "utf8")) as {
  resizedCrop: Case[];
  resizeAndCenter: Case[];
  mirror: Case[];
};
const bytes = (text: string): number[] => [...Buffer.from(text, "base64")];

describe("resizing is Pillow's to the last bit", () => {
  it.each(expected.resizedCrop)(
    "$filter, crop $crop to $size",
    ({ filter, crop, size, pixels }) => {
      const [top, left, height, width] = crop;
      const result = new Uint8Array(size[0] * size[1] * 3);
      resizedCrop(picture, { top, left, height, width }, result, size, filter);
      expect([...result]).toEqual(bytes(pixels));
    },
  );

  it.each(expected.resizeAndCenter)(
    "$filter, shorter side $shorter, middle $size, in one pass",
    ({ filter, shorter, size, pixels }) => {
      const result = new Uint8Array(size[0] * size[1] * 3);
      resizeAndCrop(picture, shorter, result, size, filter);
      expect([...result]).toEqual(bytes(pixels));
    },
  );

  it.each(["top left", "top right", "bottom left", "bottom right", "center"] as const)(
    "%s, in one pass what the whole resized picture has there",
    (place) => {
      const [h, w] = [12, 10];
      const whole = reduceTo(picture, 15, "bicubic", new PixelBuffer());
      const result = new Uint8Array(h * w * 3);
      resizeAndCrop(picture, 15, result, [h, w], "bicubic", place);
      const { top, left } = cropAt([whole.height, whole.width], [h, w], place);
      const expected = Array.from({ length: h }, (_, y) => {
        const from = ((top + y) * whole.width + left) * 3;
        return [...whole.pixels.subarray(from, from + w * 3)];
      });
      expect([...result]).toEqual(expected.flat());
    },
  );

  it("mirrored", () => {
    const result = Uint8Array.from(picture.pixels);
    mirror(result, [picture.height, picture.width]);
    expect([...result]).toEqual(bytes(expected.mirror[0]!.pixels));
  });
});

describe("resampling", () => {
  it("of 1 and 4 channels is that of each channel alone", () => {
    const plane = Uint8Array.from({ length: 20 * 30 }, (_, i) => (i * 37) % 256);
    const one = new Uint8Array(7 * 11);
    resample(plane, [20, 30], one, [7, 11], 1, [0, 0, 30, 20], "bicubic");
    for (const channels of [3, 4]) {
      const many = Uint8Array.from({ length: plane.length * channels }, (_, i) =>
        i % channels === 1 ? plane[Math.floor(i / channels)]! : 9,
      );
      const result = new Uint8Array(one.length * channels);
      resample(many, [20, 30], result, [7, 11], channels, [0, 0, 30, 20], "bicubic");
      expect([...one.keys()].map((i) => result[i * channels + 1])).toEqual([...one]);
      expect(result[0]).toBe(9);
    }
  });

  it("refuses what would read or write past its arrays", () => {
    const [from, to] = [new Uint8Array(12), new Uint8Array(3)];
    const box = [0, 0, 2, 2] as const;
    const call =
      (
        size: Size,
        toSize: Size,
        channels: number,
        part: readonly [number, number, number, number] = box,
      ) =>
      () =>
        resample(from, size, to, toSize, channels, part, "bilinear");
    expect(call([2, 3], [1, 1], 3)).toThrow("another size");
    expect(call([2, 2], [2, 1], 3)).toThrow("another size");
    expect(call([2, 2], [1, 1], 5)).toThrow("channels");
    expect(call([0, 2], [1, 1], 3)).toThrow("sides of 1 to");
    expect(call([2, 2], [1, 1], 3, [0, 0, 3, 2])).toThrow("box");
    expect(call([2, 2], [1, 1], 3, [1, 0, 1, 2])).toThrow("box");
    expect(call([2, 2], [1, 1], 3, [Number.NaN, 0, 1, 2])).toThrow("box");
  });

  it("reduces to a shorter side, and never enlarges", () => {
    const buffer = new PixelBuffer();
    const small = reduceTo(picture, 12, "bilinear", buffer);
    expect([small.height, small.width, small.pixels.length]).toEqual([12, 19, 12 * 19 * 3]);
    expect(reduceTo(picture, 23, "bilinear", buffer)).toBe(picture);
  });
});
