import { expect, it } from "vitest";
import { nest } from "./self-times.ts";

const span = (name: string, start: number, end: number) => ({ name, start, end });

it("takes a span's time off the innermost one around it, and off no other", () => {
  const nested = nest([
    ...[span("inner", 20, 30), span("outer", 0, 100), span("middle", 10, 60)],
    ...[span("second", 60, 70), span("apart", 120, 150)],
  ]);
  expect(nested.map(({ span: { name }, self, parent }) => [name, self, parent?.span.name])).toEqual(
    [
      ["outer", 40, undefined],
      ["middle", 40, "outer"],
      ["inner", 10, "middle"],
      ["second", 10, "outer"],
      ["apart", 30, undefined],
    ],
  );
});

it("of two spans that begin at once takes the longer one for the outer", () => {
  const nested = nest([span("short", 0, 4), span("long", 0, 9)]);
  expect(nested.map(({ span: { name }, self }) => [name, self])).toEqual([
    ["long", 5],
    ["short", 4],
  ]);
});

it("gives own times whose sum is the time that any span covers", () => {
  const spans = [span("a", 0, 50), span("b", 5, 45), span("c", 5, 25), span("d", 25, 45)];
  expect(nest(spans).reduce((sum, { self }) => sum + self, 0)).toBe(50);
});

it("takes spans of two clocks, one of which is a little ahead, for apart", () => {
  const nested = nest([span("call", 0, 10_000), span("module", 9_500, 90_000)]);
  expect(nested.map(({ self, parent }) => [self, parent])).toEqual([
    [10_000, undefined],
    [80_500, undefined],
  ]);
});
