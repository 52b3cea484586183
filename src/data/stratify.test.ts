import fc from "fast-check";
import { expect, test } from "vitest";
import { apportion, drawStratified } from "./stratify.ts";

/** Class counts, and sizes of parts that fit. */
const problem = fc.array(fc.nat(40), { minLength: 1, maxLength: 12 }).chain((counts) => {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return fc.tuple(
    fc.constant(counts),
    fc.array(fc.nat(total), { minLength: 1, maxLength: 4 }).map((cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b)];
      return edges.slice(1).map((edge, i) => edge - edges[i]!);
    }),
  );
});

test("every part has its exact size, every class its share rounded up or down", () => {
  fc.assert(
    fc.property(problem, ([counts, sizes]) => {
      const total = counts.reduce((sum, count) => sum + count, 0);
      const table = apportion(counts, sizes);
      sizes.forEach((size, j) => {
        expect(table.reduce((sum, row) => sum + row[j]!, 0)).toBe(size);
      });
      table.forEach((row, i) => {
        expect(row.reduce((sum, value) => sum + value, 0)).toBeLessThanOrEqual(counts[i]!);
        row.forEach((value, j) => {
          const share = total === 0 ? 0 : (counts[i]! * sizes[j]!) / total;
          expect(Math.abs(value - share)).toBeLessThan(1);
        });
      });
    }),
    { numRuns: 2000 },
  );
});

test("the largest remainders win", () => {
  expect(apportion([7, 2, 1], [5])).toEqual([[4], [1], [0]]);
  // 3 ⅓ and 96 ⅔ of each: the two extra images of the larger part go out first.
  expect(apportion([100, 100, 100], [10, 290])).toEqual([
    [3, 97],
    [3, 97],
    [4, 96],
  ]);
});

const labelled = fc.tuple(fc.array(fc.nat(3), { maxLength: 120 }), fc.nat(), fc.nat(100));
const classes = ["a", "b", "c", "d"];

function drawHalves(labels: readonly number[], seed: number, percent: number): Int32Array[] {
  const counts = classes.map((_, label) => labels.filter((l) => l === label).length);
  const first = Math.floor((labels.length * percent) / 100);
  const quotas = apportion(counts, [first, labels.length - first]);
  return drawStratified(labels, classes, quotas, seed, "train");
}

test("parts are disjoint, complete, ascending, and the same for the same seed", () => {
  fc.assert(
    fc.property(labelled, ([labels, seed, percent]) => {
      const parts = drawHalves(labels, seed, percent);
      expect(parts).toEqual(drawHalves(labels, seed, percent));
      const all = parts.flatMap((part) => [...part]);
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBe(labels.length);
      for (const part of parts) {
        expect([...part]).toEqual([...part].sort((a, b) => a - b));
      }
    }),
  );
});

test("another seed draws other images", () => {
  const labels = Array.from({ length: 100 }, (_, i) => i % 4);
  expect(drawHalves(labels, 1, 50)[0]).not.toEqual(drawHalves(labels, 2, 50)[0]);
});
