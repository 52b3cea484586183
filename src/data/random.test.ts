import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { restoreStream, sampleStreams, seedStream, shuffle, streamSeed } from "./random.ts";

const draw = (stream: ReturnType<typeof seedStream>, n = 8) =>
  Array.from({ length: n }, () => stream.int(0, 1_000_000));

test("the same seed and name give the same numbers, for ever", () => {
  // These values may never change: a published run could not be repeated.
  expect(draw(seedStream(42, "shuffle"), 4)).toEqual([103438, 37512, 40082, 196715]);
  expect(streamSeed(42, "init")).toBe(3213763467189610);
  expect([...shuffle(8, seedStream(42, "shuffle"))]).toEqual([1, 3, 4, 7, 0, 2, 5, 6]);
});

test("other names and other seeds give other streams", () => {
  const streams = [
    draw(seedStream(42, "shuffle")),
    draw(seedStream(42, "augment")),
    draw(seedStream(43, "shuffle")),
    draw(seedStream(-42, "shuffle")),
    draw(seedStream(4, "2shuffle")),
  ];
  expect(new Set(streams.map(String)).size).toBe(streams.length);
});

test("a stream restored from its state goes on as the first one does", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.nat(50), (seed, skipped) => {
      const stream = seedStream(seed, "augment");
      draw(stream, skipped);
      const state = JSON.parse(JSON.stringify(stream.state()));
      expect(draw(restoreStream(state))).toEqual(draw(stream));
    }),
  );
});

test("streamSeed is a whole number that a double and an int64 both hold", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.string(), (seed, name) => {
      const derived = streamSeed(seed, name);
      expect(Number.isSafeInteger(derived) && derived >= 0).toBe(true);
    }),
  );
});

test("shuffle gives each order of four equally often", () => {
  const stream = seedStream(7, "shuffle");
  const seen = new Map<string, number>();
  for (let i = 0; i < 24_000; i++) {
    const order = shuffle(4, stream).join("");
    seen.set(order, (seen.get(order) ?? 0) + 1);
  }
  expect(seen.size).toBe(24);
  const chiSquare = [...seen.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  // 23 degrees of freedom: 1 in 10,000 seeds would be above 56.
  expect(chiSquare).toBeLessThan(56);
});

test("shuffle is a permutation", () => {
  fc.assert(
    fc.property(fc.nat(300), fc.nat(), (n, seed) => {
      const order = shuffle(n, seedStream(seed, "shuffle"));
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }),
  );
});

test("uniform stays within its bounds and fills them", () => {
  const stream = seedStream(1, "augment");
  const values = Array.from({ length: 10_000 }, () => stream.uniform(-2, 3));
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
  expect(Math.max(...values)).toBeLessThan(3);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.06);
});

test("what is no seed or state is refused", () => {
  expect(() => seedStream(1.5, "init")).toThrow("--seed 1.5: a seed is a whole number");
  expect(() => streamSeed(Number.NaN, "init")).toThrow("--seed NaN");
  expect(() => restoreStream([0, 0, 0, 0])).toThrow("all zero");
  expect(() => restoreStream([1, 2, 3] as never)).toThrow("four int32");
  expect(() => seedStream(1, "x").int(3, 3)).toThrow("nothing lies in [3, 3)");
});

describe("sampleStreams", () => {
  it("give each image of each epoch draws of its own, the same again for the same", () => {
    const draws = (seed: number, epoch: number) => {
      const streamOf = sampleStreams(seed, epoch);
      return Array.from({ length: 2000 }, (_, sample) => streamOf(sample).uniform());
    };
    const first = draws(1, 1);
    expect(draws(1, 1)).toEqual(first);
    for (const other of [draws(1, 2), draws(2, 1)]) {
      expect(other.filter((value, i) => value === first[i])).toEqual([]);
    }
    expect(new Set(first).size).toBe(2000);
    // The first draws of neighbours are spread evenly: each tenth has its 200, within five deviations.
    const counts = Array.from(
      { length: 10 },
      (_, k) => first.filter((v) => Math.floor(v * 10) === k).length,
    );
    for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(67);
  });
});
