import { beforeAll, expect, test } from "vitest";
import { loadNative } from "../../libtorch/index.ts";
import { liveTensors } from "../../tensor/index.ts";
import { seedStream } from "../random.ts";
import { nearPairs } from "./near.ts";
import { areaResize, luma, THUMB_BYTES } from "./thumbnail.ts";

beforeAll(() => loadNative());

/** Smooth patterns, so that pairs of every distance occur, with near copies of some. */
function patterns(n: number): Uint8Array {
  const random = seedStream(5, "patterns");
  const rows = new Uint8Array(n * THUMB_BYTES);
  for (let row = 0; row < n; row++) {
    const copied =
      row % 5 === 4 ? rows.subarray((row - 3) * THUMB_BYTES, (row - 2) * THUMB_BYTES) : undefined;
    const [a, b, phase, noise] = [
      random.int(1, 5),
      random.int(1, 5),
      random.uniform(0, 6),
      random.int(1, 25),
    ];
    for (let i = 0; i < THUMB_BYTES; i++) {
      const wave = 128 + 90 * Math.sin((a * (i % 28) + b * Math.floor(i / 28)) / 9 + phase);
      const value = (copied ? 0.7 * copied[i]! + 20 : wave) + random.int(-noise, noise + 1);
      rows[row * THUMB_BYTES + i] = Math.max(0, Math.min(255, Math.round(value)));
    }
  }
  return rows;
}

/** As the definition says, pair by pair. */
function bruteForce(thumbnails: Uint8Array, most: number) {
  const n = thumbnails.length / THUMB_BYTES;
  const standard = Array.from({ length: n }, (_, row) => {
    const values = [...thumbnails.subarray(row * THUMB_BYTES, (row + 1) * THUMB_BYTES)];
    const mean = values.reduce((sum, value) => sum + value, 0) / THUMB_BYTES;
    const std = Math.sqrt(
      values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / THUMB_BYTES,
    );
    return values.map((value) => (value - mean) / std);
  });
  const pairs: string[] = [];
  for (let a = 0; a < n; a++) {
    for (let b = a + 1; b < n; b++) {
      const r =
        standard[a]!.reduce((sum, value, i) => sum + value * standard[b]![i]!, 0) / THUMB_BYTES;
      if (1 - r <= most) pairs.push(`${a}-${b} ${(1 - r).toFixed(6)}`);
    }
  }
  return pairs.sort();
}

test.each([0.005, 0.05, 0.1])("finds exactly the pairs up to %d", (most) => {
  const before = liveTensors();
  const thumbnails = patterns(400);
  const { pairs, flat, truncated } = nearPairs(thumbnails, most);
  const found = pairs.map(({ a, b, distance }) => `${a}-${b} ${distance.toFixed(6)}`).sort();
  expect(found).toEqual(bruteForce(thumbnails, most));
  expect(found.length).toBeGreaterThan(5);
  expect([flat, truncated]).toEqual([0, false]);
  const distances = pairs.map(({ distance }) => distance);
  expect(distances).toEqual([...distances].sort((a, b) => a - b));
  expect(liveTensors()).toBe(before);
});

test("blank images are counted, not compared; too many pairs are cut off and said", () => {
  const thumbnails = new Uint8Array(60 * THUMB_BYTES).fill(200);
  expect(nearPairs(thumbnails)).toEqual({ pairs: [], flat: 60, truncated: false });
  for (let i = 0; i < thumbnails.length; i++) thumbnails[i] = (i % 28) * 9;
  expect(nearPairs(thumbnails).pairs).toHaveLength((60 * 59) / 2);
  expect(nearPairs(thumbnails, 0.005, 100)).toMatchObject({ truncated: true });
  expect(nearPairs(new Uint8Array())).toEqual({ pairs: [], flat: 0, truncated: false });
});

test("the box filter gives the means over the areas, in part or whole", () => {
  const values = Uint8Array.from({ length: 12 }, (_, i) => i * 12);
  const image = { values, width: 4, height: 3 };
  expect([...areaResize(image, 4, 3)]).toEqual([...values]);
  expect([...areaResize(image, 2, 1)]).toEqual([54, 78]);
  expect([...areaResize(image, 1, 1)]).toEqual([66]);
  // Columns of 4/3: (0 + 12/3) / (4/3) = 3, (24/3 + 48/3) / (4/3) = 18, (24/3 + 36) / (4/3) = 33.
  expect([...areaResize(image, 3, 3)].slice(0, 3)).toEqual([3, 18, 33]);
  expect([...areaResize({ values: values.subarray(0, 2), width: 2, height: 1 }, 4, 2)]).toEqual([
    0, 0, 12, 12, 0, 0, 12, 12,
  ]);
});

test("brightness is Pillow's", () => {
  // Image.new("RGB", (1, 1), colour).convert("L"), Pillow 9.4.
  const colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 17, 200, 90, 255, 255, 255];
  expect([...luma(Uint8Array.from(colours))]).toEqual([76, 150, 29, 133, 255]);
  const planar = Uint8Array.from([255, 17, 0, 200, 0, 90]);
  expect([...luma(planar, 1, 2)]).toEqual([76, 133]);
});
