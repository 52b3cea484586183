import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import type { Batch } from "../data/loader.ts";
import { type Classifier, createModel } from "../models/index.ts";
import { predictProbabilities } from "../models/predict.ts";
import type { Tta } from "../run/evaluation.ts";
import { Generator, ops, scope, setThreads, Tensor } from "../tensor/index.ts";
import { predictViews, tenCrop, tenCropPadding } from "./views.ts";

expectNoLeaks();

interface Case {
  readonly image: readonly [number, number];
  readonly size: readonly [number, number];
  readonly crops: readonly (readonly number[])[];
}
const { cases } = JSON.parse(
  readFileSync(new URL("../../test/fixtures/torchvision-ten-crop.json", import.meta.url), "utf8"),
) as { cases: readonly Case[] };

test.each(cases)("ten crops of $size from $image are torchvision's", ({ image, size, crops }) => {
  scope(() => {
    const [height, width] = image;
    const pixels = Float32Array.from({ length: height * width }, (_, i) => i);
    const images = Tensor.from(pixels, [1, 1, height, width]);
    expect(tenCrop(size).map((view) => [...view(images).toArray("float32")])).toEqual(crops);
  });
});

test("padding is an eighth of the shorter side, and at least a pixel", () => {
  expect([28, 32, 224, 3].map((side) => tenCropPadding([side, side + 9]))).toEqual([4, 4, 28, 1]);
});

describe("the mean over the views", () => {
  const input = { mean: [0.4, 0.2], std: [0.3, 0.5] };
  const compute = { device: "cpu", autocast: null } as const;
  const [count, side, classes] = [5, 16, 3];

  const withModel = async (body: (model: Classifier) => Promise<void>): Promise<void> => {
    setThreads(1);
    using random = new Generator(4);
    using model = createModel("simple_cnn", {
      ...{ classes, inChannels: 2, imageSize: [side, side] },
      random: { init: random, dropout: random },
    });
    await body(model);
  };
  const pixelsOf = (rows: readonly number[]): Float32Array =>
    Float32Array.from(
      rows.flatMap((row) =>
        Array.from({ length: 2 * side * side }, (_, i) => Math.sin(row * 31 + i * 0.7)),
      ),
    );
  /** 5 images as a batch of 3 and one of 2. */
  async function* batches(change: (images: Tensor) => Tensor = ops.clone): AsyncGenerator<Batch> {
    for (const [index, rows] of [
      [0, 1, 2],
      [3, 4],
    ].entries()) {
      const size = rows.length;
      using images = Tensor.from(pixelsOf(rows), [size, 2, side, side]);
      const labels = Tensor.from(new BigInt64Array(size), [size]);
      yield { images: change(images), labels, size, index, rows: Int32Array.from(rows) };
    }
  }

  test("flip: of the image and its mirror image", async () => {
    await withModel(async (model) => {
      const own = await predictProbabilities(model, batches(), count, compute);
      const mirrored = batches((images) => ops.flip(images, [3]));
      const other = await predictProbabilities(model, mirrored, count, compute);
      const both = await predictViews(model, batches(), count, compute, { tta: "flip", input });
      expect(both).toEqual(own.map((p, i) => (p + other[i]!) / 2));
      expect(own).not.toEqual(other);
    });
  });

  test("ten-crop: ten predictions, of images with black around them, the fifth the image itself", async () => {
    await withModel(async (model) => {
      const seen: Float32Array[] = [];
      const embed = model.embed.bind(model);
      Object.defineProperty(model, "embed", {
        value: (x: Tensor) => {
          seen.push(x.toArray("float32"));
          return embed(x);
        },
      });
      const tta: Tta = "ten-crop";
      const all = await predictViews(model, batches(), count, compute, { tta, input });
      expect(seen).toHaveLength(20);
      expect(seen[4]).toEqual(pixelsOf([0, 1, 2]));
      // Two rows of black above the first crop: (0 - mean) / std, channel by channel.
      const plane = side * side;
      expect([...seen[0]!.subarray(0, 2 * side)]).toEqual(
        new Array(2 * side).fill(Math.fround(-0.4 / 0.3)),
      );
      expect([...seen[0]!.subarray(plane, plane + 2 * side)]).toEqual(
        new Array(2 * side).fill(Math.fround(-0.2 / 0.5)),
      );
      for (let i = 0; i < count; i++) {
        const sum = all.subarray(i * classes, (i + 1) * classes).reduce((a, b) => a + b, 0);
        expect(sum).toBeCloseTo(1, 5);
      }
    });
  });
});
