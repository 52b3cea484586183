import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chiSquaredTail, studentQuantile } from "./distributions.ts";
import {
  bootstrapMacroF1,
  confusionMatrix,
  holm,
  mcnemar,
  pairedBootstrap,
  predictions,
  tInterval95,
} from "./index.ts";
import { Binomial, Resampler } from "./multinomial.ts";

interface Fixture {
  readonly mcnemar: { onlyFirst: number; onlySecond: number; exact: boolean; p: number }[];
  readonly t: { values: number[]; mean: number; deviation: number; lo: number; hi: number }[];
  readonly quantiles: { p: number; df: number; t: number }[];
  readonly tails: { x: number; p: number }[];
  readonly holm: { ps: number[]; adjusted: number[] }[];
  readonly bootstrap: {
    images: number;
    first: number;
    second: number;
    macroF1: [number, number];
    pairedMacroF1: { value: number; interval: [number, number] };
    pairedAccuracy: { value: number; interval: [number, number] };
  }[];
}
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../test/fixtures/statistics.json"), "utf8"),
) as Fixture;

const expectClose = (got: number, wanted: number, tolerance = 1e-12) =>
  expect(Math.abs(got - wanted)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(wanted)));

describe("scipy's and statsmodels' numbers", () => {
  it.each(fixture.mcnemar)("McNemar of $onlyFirst and $onlySecond", (wanted) => {
    const { method, p } = mcnemar(wanted.onlyFirst, wanted.onlySecond);
    expect(method).toBe(wanted.exact ? "exact" : "chi-squared");
    // Small ones too: to twelve digits of their own.
    expect(Math.abs(p / wanted.p - 1)).toBeLessThan(1e-11);
  });

  it.each(fixture.t)("mean of $values.length seeds", ({ values, ...wanted }) => {
    const { n, mean, deviation, interval95 } = tInterval95(values);
    expect(n).toBe(values.length);
    expectClose(mean, wanted.mean);
    expectClose(deviation!, wanted.deviation);
    expectClose(interval95![0], wanted.lo);
    expectClose(interval95![1], wanted.hi);
  });

  it.each(fixture.quantiles)("t quantile $p, $df degrees of freedom", ({ p, df, t }) => {
    expectClose(studentQuantile(p, df), t);
  });

  it.each(fixture.tails)("chi-squared above $x", ({ x, p }) => {
    expect(Math.abs(chiSquaredTail(x) / p - 1)).toBeLessThan(1e-11);
  });

  it.each(fixture.holm)("Holm of $ps", ({ ps, adjusted }) => {
    holm(ps).forEach((p, i) => {
      expectClose(p, adjusted[i]!);
    });
  });
});

// The formula of test/oracle/statistics_fixture.py.
const said = (count: number, skill: number) =>
  Array.from({ length: count }, (_, i) =>
    (i * 7919) % 1009 < skill * 1009 ? i % 4 : ((i % 4) + 1 + (i % 3)) % 4,
  );

describe.each(fixture.bootstrap)("bootstrap of $images images", (wanted) => {
  const { images } = wanted;
  const labels = Array.from({ length: images }, (_, i) => i % 4);
  const first = said(images, wanted.first);
  const second = said(images, wanted.second).map((label, i) => (i % 5 === 0 ? first[i]! : label));
  const matrix = () => {
    const probabilities = new Float32Array(images * 4);
    first.forEach((label, i) => {
      probabilities[i * 4 + label] = 1;
    });
    return confusionMatrix(predictions(probabilities, labels, 4));
  };
  /** Both sides draw: bounds differ by a fraction of the interval's width, or by an image. */
  const expectNear = (got: readonly number[], bounds: readonly number[]) => {
    const width = bounds[1]! - bounds[0]!;
    got.forEach((bound, i) => {
      expect(Math.abs(bound - bounds[i]!)).toBeLessThan(0.04 * width + 1 / images);
    });
  };

  it("macro-F1's interval is that of resampled images", () => {
    expectNear(bootstrapMacroF1(matrix(), { seed: 1, resamples: 10_000 }), wanted.macroF1);
  });

  it("so are those of paired differences", () => {
    const paired = pairedBootstrap(
      { classes: 4, labels, first, second },
      { seed: 1, resamples: 10_000 },
    );
    expectClose(paired.accuracy.value, wanted.pairedAccuracy.value);
    expectClose(paired.macroF1.value, wanted.pairedMacroF1.value);
    expectNear(paired.accuracy.interval95, wanted.pairedAccuracy.interval);
    expectNear(paired.macroF1.interval95, wanted.pairedMacroF1.interval);
  });

  it("the same seed gives the same bits, another other ones", () => {
    const of = (seed: number) => bootstrapMacroF1(matrix(), { seed });
    expect(of(3)).toEqual(of(3));
    expect(of(3)).not.toEqual(of(4));
  });
});

it("draws are binomial: their mean and variance, few and many expected", () => {
  for (const [n, p] of [
    [10, 0.3],
    [5000, 0.001],
    [1000, 0.05],
    [2000, 0.47],
    [2000, 0.9],
  ] as const) {
    const binomial = new Binomial(n, 7);
    const draws = Array.from({ length: 20_000 }, () => binomial.draw(n, p));
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    const expected = n * p * (1 - p);
    // Five standard errors.
    expect(Math.abs(mean - n * p)).toBeLessThan(5 * Math.sqrt(expected / draws.length));
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.06);
  }
});

it("a drawn table has as many images as the given one, and none in an empty cell", () => {
  const into = new Float64Array(4);
  new Resampler(Float64Array.of(10, 0, 5, 85), 2).draw(into);
  expect(into.reduce((sum, n) => sum + n, 0)).toBe(100);
  expect(into[1]).toBe(0);
});

it("one seed has a mean and no interval; nothing to compare is refused", () => {
  expect(tInterval95([0.5])).toEqual({ n: 1, mean: 0.5, deviation: null, interval95: null });
  expect(() => tInterval95([])).toThrow(/no values/);
  expect(() => mcnemar(-1, 2)).toThrow(/-1 images/);
  expect(() =>
    pairedBootstrap({ classes: 2, labels: [0], first: [0, 1], second: [1] }, { seed: 1 }),
  ).toThrow(/1 labels, 2 and 1/);
});
