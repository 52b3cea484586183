import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { ops, scope } from "../../tensor/index.ts";
import { type RandomStream, seedStream } from "../random.ts";
import { type Augmentation, augmentImage, isAugmented } from "./augment.ts";
import { eraseRandomly, randomErasing } from "./random-erasing.ts";
import { planar, type Raster } from "./raster.ts";

const stream = (): RandomStream => seedStream(11, "test");
const off: Augmentation = { crop: 0, flip: false, rotation: 0 };
const counted = (channels: number, height: number, width: number): Raster =>
  planar(
    Uint8Array.from({ length: channels * height * width }, (_, i) => (i % 250) + 1),
    [channels, height, width],
  );

/** Crop and mirror one pixel at a time, drawing as augmentImage does: top, left, mirrored. */
function reference(image: Raster, crop: number, flip: boolean, random: RandomStream): number[] {
  const { channels, height, width, values } = image;
  const result: number[] = [];
  const top = crop > 0 ? random.int(0, 2 * crop + 1) : 0;
  const left = crop > 0 ? random.int(0, 2 * crop + 1) : 0;
  const mirrored = flip && random.int(0, 2) === 1;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const fromY = y + top - crop;
        const fromX = (mirrored ? width - 1 - x : x) + left - crop;
        const inside = fromY >= 0 && fromY < height && fromX >= 0 && fromX < width;
        result.push(inside ? values[(c * height + fromY) * width + fromX]! : 0);
      }
    }
  }
  return result;
}

expectNoLeaks();

describe("RandomCrop and RandomHorizontalFlip", () => {
  it.each([
    { crop: 1, flip: true },
    { crop: 2, flip: false },
    { crop: 6, flip: true },
    { crop: 0, flip: true },
  ])("equal a pixel-by-pixel reference: %j", ({ crop, flip }) => {
    const [random, again] = [stream(), stream()];
    for (let i = 0; i < 20; i++) {
      const image = counted(3, 4, 5);
      const expected = reference(image, crop, flip, again);
      augmentImage(image, { ...off, crop, flip }, random);
      expect([...image.values]).toEqual(expected);
    }
  });

  it("draw every crop and both sides", () => {
    const random = stream();
    const seen = Array.from({ length: 200 }, () => {
      const image = counted(1, 3, 3);
      augmentImage(image, { ...off, crop: 1, flip: true }, random);
      return image.values.join();
    });
    expect(new Set(seen).size).toBe(18);
  });
});

describe("augmentImage", () => {
  it("draws nothing for what is off", () => {
    const [image, random] = [counted(1, 3, 3), stream()];
    augmentImage(image, off, random);
    expect(image.values).toEqual(counted(1, 3, 3).values);
    expect(random.state()).toEqual(stream().state());
    expect(isAugmented(off)).toBe(false);
  });

  it("rotates by an angle within the limit, counter-clockwise", () => {
    const limits: number[][] = [];
    const random = {
      uniform: (low: number, high: number) => {
        limits.push([low, high]);
        return 90;
      },
    } as unknown as RandomStream;
    const image = counted(1, 3, 3);
    augmentImage(image, { ...off, rotation: 15 }, random);
    expect([...image.values]).toEqual([3, 6, 9, 2, 5, 8, 1, 4, 7]);
    expect(limits).toEqual([[-15, 15]]);
  });

  it.each<[string, Partial<Augmentation>]>([
    ["RandomAffine", { affine: { degrees: 20, translate: [0.2, 0.2] } }],
    ["RandAugment", { auto: { kind: "randaugment", numOps: 2, magnitude: 9, bins: 31 } }],
    ["TrivialAugmentWide", { auto: { kind: "trivialaugmentwide", bins: 31 } }],
    ["ColorJitter", { jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 } }],
  ])("%s: other draws, other images; the same draws, the same image", (_, part) => {
    const augmentation = { ...off, ...part };
    expect(isAugmented(augmentation)).toBe(true);
    const draw = (random: RandomStream) => {
      const image = counted(3, 9, 9);
      augmentImage(image, augmentation, random);
      return image.values.join();
    };
    const random = stream();
    const seen = Array.from({ length: 30 }, () => draw(random));
    // Two of a policy's operators leave the image as it is, or nearly so.
    expect(new Set(seen).size).toBeGreaterThan(20);
    expect(draw(stream())).toBe(seen[0]);
  });
});

describe("RandomErasing", () => {
  const shape = [12, 2, 9, 11];
  const count = 12 * 2 * 9 * 11;
  const erased = (value: "const" | "pixel") =>
    scope(() => {
      const images = ops.full(shape, 7, { dtype: "float32" });
      const random = stream();
      eraseRandomly(images, { p: 0.5, value }, () => random);
      return images.toArray("float32");
    });

  it("puts 0 into the drawn rectangles of all channels, and nowhere else", () => {
    const random = stream();
    const expected = new Float32Array(count).fill(7);
    let rectangles = 0;
    for (let i = 0; i < 12; i++) {
      const part = randomErasing({ p: 0.5, value: "const" }, { height: 9, width: 11 }, random);
      if (part === undefined) continue;
      rectangles++;
      for (let c = 0; c < 2; c++) {
        for (let y = part.top; y < part.top + part.height; y++) {
          const row = ((i * 2 + c) * 9 + y) * 11;
          expected.fill(0, row + part.left, row + part.left + part.width);
        }
      }
    }
    expect(rectangles).toBeGreaterThan(2);
    expect(rectangles).toBeLessThan(10);
    expect(erased("const")).toEqual(expected);
  });

  it("or a normal draw for each value", () => {
    const values = [...erased("pixel")].filter((value) => value !== 7);
    expect(values.length).toBeGreaterThan(50);
    expect(new Set(values).size).toBe(values.length);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(values.length));
    expect(Math.abs(square - 1)).toBeLessThan(7.1 / Math.sqrt(values.length));
  });
});
