import { expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { Generator, ops, scope } from "../tensor/index.ts";
import { DropPath, dropPathRates } from "./index.ts";

expectNoLeaks();

it("drops whole samples and scales the rest, by masks of its generator", () => {
  using random = new Generator(42);
  using twin = new Generator(42);
  scope(() => {
    const y = new DropPath(0.25, { random }).forward(ops.ones([400, 2, 3]));
    const rows = Array.from({ length: 400 }, (_, i) =>
      y.toArray("float32").subarray(6 * i, 6 * i + 6),
    );
    expect(rows.every((row) => row.every((value) => value === row[0]))).toBe(true);
    const kept = rows.filter((row) => row[0] !== 0);
    expect(kept.every((row) => row[0] === Math.fround(1 / 0.75))).toBe(true);
    expect(Math.abs(kept.length / 400 - 0.75)).toBeLessThan(0.08);
    const mask = ops.bernoulli_(ops.empty([400, 1, 1]), { p: 0.75, generator: twin });
    expect([...mask.toArray("float32")]).toEqual(rows.map((row) => (row[0] === 0 ? 0 : 1)));
  });
});

it("is the identity in evaluation and at rate 0, and draws nothing then", () => {
  using random = new Generator(1);
  scope(() => {
    const x = ops.ones([4, 2]);
    const before = random.state.toBytes();
    expect(new DropPath(0.5, { random }).eval().forward(x)).toBe(x);
    expect(new DropPath(0, { random }).forward(x)).toBe(x);
    expect(random.state.toBytes()).toEqual(before);
  });
});

it("drops everything at rate 1", () => {
  using random = new Generator(1);
  scope(() => {
    const y = new DropPath(1, { random }).forward(ops.ones([4, 2]));
    expect([...y.toArray("float32")]).toEqual(Array(8).fill(0));
  });
});

it("has rates that rise linearly with depth", () => {
  expect(dropPathRates(0.3, 4)).toEqual([0, 0.3 / 3, 0.6 / 3, 0.3].map((r) => expect.closeTo(r)));
  expect(dropPathRates(0.3, 1)).toEqual([0]);
});
