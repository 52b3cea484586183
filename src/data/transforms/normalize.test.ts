import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { ops, scope, Tensor } from "../../tensor/index.ts";
import { normalize } from "./normalize.ts";

const MEAN = [0.49, 0.48, 0.45];
const STD = [0.25, 0.24, 0.26];

expectNoLeaks();

describe("normalize", () => {
  const pixels = Uint8Array.from({ length: 2 * 3 * 2 * 2 }, (_, i) => (i * 67) % 256);
  const expected = Array.from(pixels, (pixel, i) => {
    const channel = Math.floor(i / 4) % 3;
    return (pixel / 255 - MEAN[channel]!) / STD[channel]!;
  });

  it("gives (pixel/255 - mean)/std by channel, of bytes and of floats", () => {
    scope(() => {
      const bytes = Tensor.from(pixels, [2, 3, 2, 2]);
      for (const images of [bytes, ops.toDtype(bytes, "float32")]) {
        const result = normalize(images, { mean: MEAN, std: STD });
        expect([result.dtype, result.shape]).toEqual(["float32", [2, 3, 2, 2]]);
        result.toArray("float32").forEach((value, i) => {
          expect(value).toBeCloseTo(expected[i]!, 5);
        });
      }
    });
  });

  it("leaves its input as it was", () => {
    scope(() => {
      const images = ops.full([1, 1, 2, 2], 255, { dtype: "float32" });
      normalize(images, { mean: [0.5], std: [0.5] });
      expect([...images.toArray("float32")]).toEqual([255, 255, 255, 255]);
    });
  });

  it("maps black and white to -mean/std and (1 - mean)/std", () => {
    scope(() => {
      const images = Tensor.from(Uint8Array.of(0, 255), [1, 1, 1, 2]);
      const [black, white] = normalize(images, { mean: [0.5], std: [0.25] }).toArray("float32");
      expect(black).toBeCloseTo(-2, 6);
      expect(white).toBeCloseTo(2, 6);
    });
  });

  it("refuses statistics of another number of channels", () => {
    scope(() => {
      const grey = ops.zeros([1, 1, 2, 2]);
      expect(() => normalize(grey, { mean: MEAN, std: STD })).toThrow(/\[1, 1, 2, 2\]/);
      expect(() => normalize(grey, { mean: [0], std: STD })).toThrow(/12 bytes/);
    });
  });
});
