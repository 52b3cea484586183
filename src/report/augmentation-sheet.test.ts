import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { statStamp } from "../data/folders/stamp.ts";
import { Loader } from "../data/loader.ts";
import { previewAugmentation } from "../data/preview.ts";
import type { Augmentation } from "../data/transforms/augment.ts";
import { augmentationSheet, sheetLayout } from "./augmentation-sheet.ts";

const augment: Augmentation = {
  ...{ crop: 2, flip: true, rotation: 10 },
  auto: { kind: "randaugment", numOps: 2, magnitude: 9, bins: 31 },
  erasing: { p: 0.5, value: "pixel" },
};

expectNoLeaks();

test("every cell is what the loader gives in that epoch, pixel for pixel", async () => {
  const data = sampleSplits();
  const { mean, std } = data;
  const fits = { train: undefined, original: undefined };
  const options = { augment, fits, mean, std, seed: 5, epoch: 3, draws: 4, images: 5 };
  const rows = await previewAugmentation(data.train, options);
  expect(rows.map(({ row, className }) => [row, className])).toEqual([
    [0, "coat"],
    [1, "bag"],
    [2, "boot"],
    [3, "coat"],
    [4, "bag"],
  ]);
  const png = await augmentationSheet(rows, 3);
  const { data: pixels, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const layout = sheetLayout(rows);
  expect([info.width, info.height, info.channels]).toEqual([layout.width, layout.height, 3]);
  // 112 pixels a side are 7 for each of 16.
  expect([layout.scale, layout.height]).toEqual([7, 16 + 28 + 5 * (7 * 16 + 8) + 16]);
  const cell = (row: number, column: number) => {
    const { left, top } = layout.cell(row, column);
    return Array.from({ length: 256 }, (_, i) => {
      const x = left + (i % 16) * 7;
      const y = top + Math.floor(i / 16) * 7;
      const at = (dx: number, dy: number, c: number) =>
        pixels[((y + dy) * info.width + x + dx) * 3 + c];
      const corners = [at(0, 0, 0), at(6, 0, 1), at(0, 6, 2), at(6, 6, 0)];
      expect(new Set(corners).size).toBe(1);
      return corners[0]!;
    });
  };
  const plan = { mean, std, seed: 5, memoryFormat: "channels_last", batchSize: 16 } as const;
  await using loader = new Loader(data.train, { ...plan, shuffle: true, augment });
  for (let draw = 0; draw < 4; draw++) {
    for await (const batch of loader.epoch(3 + draw)) {
      const values = batch.images.toArray("float32");
      batch.images.dispose();
      batch.labels.dispose();
      for (const [i, row] of batch.rows.entries()) {
        if (row >= 5) continue;
        const own = [...values.subarray(i * 256, (i + 1) * 256)].map((value) =>
          Math.min(255, Math.max(0, Math.round(255 * (value * std[0]! + mean[0]!)))),
        );
        expect(cell(row, 1 + draw)).toEqual(own);
      }
    }
  }
  for (const { row } of rows) {
    expect(cell(row, 0)).toEqual([...data.train.images.subarray(row * 256, (row + 1) * 256)]);
  }
});

test("photographs are cropped and changed as in training, beside their middle", async () => {
  const folder = mkdtempSync(join(tmpdir(), "thaw-preview-"));
  const files = ["plain.jpg", "444.jpg"].map((name) => join(folder, name));
  for (const [i, name] of ["plain.jpg", "444.jpg"].entries()) {
    copyFileSync(resolve(import.meta.dirname, "../../test/fixtures/images", name), files[i]!);
  }
  const set = {
    ...{ files, stamps: files.map(statStamp), labels: Int32Array.of(1, 0), count: 2 },
    classes: ["a", "b<"],
  };
  const shape = { size: [64, 48], interpolation: "bilinear" } as const;
  const whole = { scale: [0.3, 1], ratio: [1, 1], hflip: 0.5 } as const;
  const fits = {
    train: { ...shape, crop: { kind: "random", ...whole } },
    original: { ...shape, crop: { kind: "center", pct: 0.9 } },
  } as const;
  const normalization = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
  const options = { augment, fits, ...normalization, seed: 1, epoch: 1, draws: 2, images: 9 };
  const rows = await previewAugmentation(set, options);
  rmSync(folder, { recursive: true });
  expect(rows.map(({ className }) => className)).toEqual(["a", "b<"]);
  const sizes = rows.flatMap(({ original, draws }) => [original, ...draws]);
  expect(new Set(sizes.map(({ pixels }) => pixels.length))).toEqual(new Set([64 * 48 * 3]));
  expect(rows[0]!.draws[0]!.pixels).not.toEqual(rows[0]!.draws[1]!.pixels);
  const { width, height } = await sharp(await augmentationSheet(rows, 1)).metadata();
  const layout = sheetLayout(rows);
  expect([width, height, layout.scale]).toEqual([layout.width, layout.height, 1]);
});
