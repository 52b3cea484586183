import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { ops, scope, Tensor } from "../../tensor/index.ts";
import { type RandomStream, seedStream } from "../random.ts";
import { cropAndFlip, rotate } from "./augment.ts";

const stream = (): RandomStream => seedStream(11, "test");
/** One stream for all images, one after the other. */
const sequence = (): (() => RandomStream) => {
  const random = stream();
  return () => random;
};
const image = (...shape: [number, number, number, number]): Tensor => {
  const count = shape.reduce((product, size) => product * size, 1);
  return Tensor.from(
    Uint8Array.from({ length: count }, (_, i) => (i % 250) + 1),
    shape,
  );
};

/** Crop and mirror one pixel at a time, drawing as cropAndFlip does: top, left, mirrored. */
function reference(images: Tensor, crop: number, flip: boolean, random: RandomStream): number[] {
  const [n, c, h, w] = images.shape as [number, number, number, number];
  const pixels = images.toArray("uint8");
  const result: number[] = [];
  for (let i = 0; i < n; i++) {
    const top = crop > 0 ? random.int(0, 2 * crop + 1) : 0;
    const left = crop > 0 ? random.int(0, 2 * crop + 1) : 0;
    const mirrored = flip && random.int(0, 2) === 1;
    for (let channel = 0; channel < c; channel++) {
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const fromY = y + top - crop;
          const fromX = (mirrored ? w - 1 - x : x) + left - crop;
          const inside = fromY >= 0 && fromY < h && fromX >= 0 && fromX < w;
          result.push(inside ? pixels[((i * c + channel) * h + fromY) * w + fromX]! : 0);
        }
      }
    }
  }
  return result;
}

expectNoLeaks();

describe("cropAndFlip", () => {
  it.each([
    { crop: 1, flip: true },
    { crop: 2, flip: false },
    { crop: 0, flip: true },
  ])("equals a pixel-by-pixel reference: %j", ({ crop, flip }) => {
    scope(() => {
      const images = image(8, 3, 4, 5);
      const result = cropAndFlip(images, { crop, flip }, sequence());
      expect([result.dtype, result.shape]).toEqual(["uint8", [8, 3, 4, 5]]);
      expect([...result.toArray("uint8")]).toEqual(reference(images, crop, flip, stream()));
    });
  });

  it("draws for each image alone: some mirrored, some not, crops that differ", () => {
    scope(() => {
      const one = image(1, 1, 3, 3);
      const many = ops.repeat(one, [64, 1, 1, 1]);
      const flipped = cropAndFlip(many, { crop: 0, flip: true }, sequence()).toArray("uint8");
      const mirrored = Array.from({ length: 64 }, (_, i) => flipped[i * 9] === 3);
      const share = mirrored.filter(Boolean).length;
      expect(share).toBeGreaterThan(16);
      expect(share).toBeLessThan(48);
      const cropped = cropAndFlip(many, { crop: 1, flip: false }, sequence()).toArray("uint8");
      const centres = Array.from({ length: 64 }, (_, i) => cropped[i * 9 + 4]);
      expect(new Set(centres).size).toBe(9);
    });
  });

  it("gives back the images where there is nothing to do, and draws nothing", () => {
    scope(() => {
      const images = image(2, 1, 3, 3);
      const random = stream();
      expect(cropAndFlip(images, { crop: 0, flip: false }, () => random)).toBe(images);
      expect(rotate(images, { rotation: 0 }, () => random)).toBe(images);
      expect(random.state()).toEqual(stream().state());
    });
  });
});

describe("rotate", () => {
  /** A stream that draws one angle. */
  const fixed = (angle: number): RandomStream =>
    ({ uniform: () => angle }) as unknown as RandomStream;
  const turned = (h: number, w: number, angle: number): number[] => {
    let result: number[] = [];
    scope(() => {
      const images = ops.toDtype(image(1, 1, h, w), "float32");
      result = [...rotate(images, { rotation: 180 }, () => fixed(angle)).toArray("float32")];
    });
    return result;
  };

  // torchvision 0.14's TF.rotate of the same images: nearest, positive is counter-clockwise.
  it("is exact at 0, 90 and 180 degrees of an odd square", () => {
    expect(turned(3, 3, 0)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(turned(3, 3, 90)).toEqual([3, 6, 9, 2, 5, 8, 1, 4, 7]);
    expect(turned(3, 3, -90)).toEqual([7, 4, 1, 8, 5, 2, 9, 6, 3]);
    expect(turned(3, 3, 180)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it("equals torchvision's at 30 and -20 degrees, black outside", () => {
    expect(turned(5, 5, 30)).toEqual([
      0, 3, 4, 10, 0, 2, 8, 8, 14, 15, 6, 12, 13, 14, 20, 11, 12, 18, 18, 24, 0, 16, 22, 23, 0,
    ]);
    expect(turned(5, 5, -20)).toEqual([
      0, 1, 2, 3, 0, 11, 7, 8, 9, 5, 16, 12, 13, 14, 10, 21, 17, 18, 19, 15, 0, 23, 24, 25, 0,
    ]);
  });

  it("keeps the proportions of a picture that is not square, as torchvision's", () => {
    expect(turned(3, 5, 25)).toEqual([0, 3, 3, 9, 10, 1, 7, 8, 9, 15, 6, 7, 13, 13, 0]);
    expect(turned(3, 5, 90)).toEqual([0, 4, 9, 14, 0, 0, 3, 8, 13, 0, 0, 2, 7, 12, 0]);
  });

  it("turns each image by an angle of its own within the limit", () => {
    const limits: number[][] = [];
    let angle = -90;
    const random = {
      uniform: (low: number, high: number) => {
        limits.push([low, high]);
        angle += 90;
        return angle;
      },
    } as unknown as RandomStream;
    scope(() => {
      const images = ops.repeat(ops.toDtype(image(1, 1, 3, 3), "float32"), [2, 2, 1, 1]);
      const result = [...rotate(images, { rotation: 15 }, () => random).toArray("float32")];
      const upright = [1, 2, 3, 4, 5, 6, 7, 8, 9];
      const left = [3, 6, 9, 2, 5, 8, 1, 4, 7];
      expect(result).toEqual([...upright, ...upright, ...left, ...left]);
    });
    expect(limits).toEqual([
      [-15, 15],
      [-15, 15],
    ]);
  });
});
