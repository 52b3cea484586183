import { expect, test } from "vitest";
import { predictions } from "../metrics/index.ts";
import { combine, reorder } from "./combine.ts";

const labels = [0, 1, 2];
const of = (...rows: number[][]) => predictions(Float32Array.from(rows.flat()), labels, 3);
const members = [
  of([0.5, 0.25, 0.25], [0.5, 0.375, 0.125], [0.125, 0.5, 0.375]),
  of([0.25, 0.5, 0.25], [0.5, 0.375, 0.125], [0.25, 0.125, 0.625]),
  of([0.5, 0.25, 0.25], [0, 1, 0], [0.5, 0.25, 0.25]),
];

test("soft: the mean of the probabilities decides", () => {
  const { probabilities, predicted, labels: kept } = combine(members, "soft");
  const third = (a: number) => Math.fround(a / 3);
  expect([...probabilities]).toEqual([1.25, 1, 0.75, 1, 1.75, 0.25, 0.875, 0.875, 1.25].map(third));
  expect([...predicted]).toEqual([0, 1, 2]);
  expect([...kept]).toEqual(labels);
});

test("hard: the majority decides, whatever it costs; equally many votes by the mean probability", () => {
  const { probabilities, predicted } = combine(members, "hard");
  expect(probabilities[0]).toBeCloseTo(2 / 3, 6);
  // Of the second image two say 0, of the third each another class.
  expect([...predicted]).toEqual([0, 0, 2]);
});

test("two that disagree: the surer one wins, not the class with the lower number", () => {
  const a = of([0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25]);
  const b = of([0, 0, 1], [0, 1, 0], [0, 0.25, 0.75]);
  expect([...combine([a, b], "hard").predicted]).toEqual([2, 1, 2]);
});

test("classes in another order are matched by name", () => {
  const [first] = members as [(typeof members)[0]];
  const moved = reorder(first, ["coat", "bag", "boot"], ["boot", "coat", "bag"]);
  expect([...moved.probabilities.subarray(0, 3)]).toEqual([0.25, 0.5, 0.25]);
  expect([...moved.labels]).toEqual([1, 2, 0]);
  expect(reorder(first, ["a", "b", "c"], ["a", "b", "c"])).toBe(first);
});
