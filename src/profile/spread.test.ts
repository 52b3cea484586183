import { expect, it } from "vitest";
import { median, percentile, spreadOf } from "./spread.ts";

// numpy.percentile([7, 1, 12, 3, 5, 40, 2], [0, 25, 50, 95, 99, 100])
it("has NumPy's percentiles", () => {
  const values = [7, 1, 12, 3, 5, 40, 2];
  const expected = [1, 2.5, 5, 31.6, 38.32, 40];
  for (const [i, p] of [0, 25, 50, 95, 99, 100].entries()) {
    expect(percentile(values, p)).toBeCloseTo(expected[i]!, 12);
  }
  expect(values[0]).toBe(7);
});

it("calls what half of the values lie within their spread", () => {
  expect(median([4])).toBe(4);
  expect(spreadOf([4])).toBe(0);
  // Quartiles 95 and 105 of 90, 95, 100, 105, 110.
  expect(spreadOf([100, 90, 110, 95, 105])).toBeCloseTo(0.1, 12);
});
