import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ThawError } from "../errors.ts";
import { rangeRate, SmoothLoss, steepest, trimmed, valley } from "./lr-suggest.ts";

interface Course {
  readonly name: string;
  readonly losses: readonly number[];
  readonly lrs: readonly number[];
  readonly smooth: readonly number[];
  readonly valley: number;
  readonly steepest: number;
}
const { range, courses } = JSON.parse(
  readFileSync(new URL("../../test/fixtures/fastai-lr-find.json", import.meta.url), "utf8"),
) as { range: { from: number; to: number; steps: number }; courses: readonly Course[] };

describe("as fastai", () => {
  test.each(courses)("$name", ({ losses, lrs, smooth, ...suggested }) => {
    const average = new SmoothLoss();
    const points = losses.map((loss, i) => ({
      lr: rangeRate(i, range),
      smooth: average.add(loss),
    }));
    for (const [i, point] of points.entries()) {
      // fastai computes in float32.
      expect(point.lr / lrs[i]!).toBeCloseTo(1, 6);
      expect(point.smooth / smooth[i]!).toBeCloseTo(1, 5);
    }
    const looked = trimmed(points, range.steps);
    expect(valley(looked) / suggested.valley).toBeCloseTo(1, 6);
    expect(steepest(looked) / suggested.steepest).toBeCloseTo(1, 6);
  });
});

test("a course of too few points suggests nothing, and says what to do", () => {
  const points = trimmed([{ lr: 1e-7, smooth: 2 }], 100);
  expect(() => valley(points)).toThrow(ThawError);
  expect(() => steepest(points)).toThrow(/within a few steps/);
});
