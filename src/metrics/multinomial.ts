import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { logGamma } from "./distributions.ts";

/** Numbers of [0, 1), the same for the same seed. */
export function uniforms(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  return () => uniformFloat64(generator);
}

/**
 * Draws as many images as there are, with replacement, and writes how many fell into each cell: what a bootstrap of a
 * count table needs, at the cost of the cells and not of the images.
 */
export function resample(
  counts: ArrayLike<number>,
  into: Float64Array,
  random: () => number,
): void {
  let left = 0;
  for (let i = 0; i < counts.length; i++) left += counts[i]!;
  let images = left;
  for (let i = 0; i < counts.length; i++) {
    const here = counts[i]!;
    const drawn = here === left ? images : binomial(images, here / left, random);
    into[i] = drawn;
    images -= drawn;
    left -= here;
  }
}

/** Successes of `n` trials, exactly distributed: by inversion where few are expected, else by BTRS. (Hörmann 1993) */
export function binomial(n: number, p: number, random: () => number): number {
  if (n === 0 || p <= 0) return 0;
  if (p > 0.5) return n - binomial(n, 1 - p, random);
  return n * p < 10 ? byInversion(n, p, random) : byRejection(n, p, random);
}

function byInversion(n: number, p: number, random: () => number): number {
  const odds = p / (1 - p);
  let term = (1 - p) ** n;
  let rest = random();
  let k = 0;
  while (rest >= term && k < n) {
    rest -= term;
    term *= (odds * (n - k)) / (k + 1);
    k++;
  }
  return k;
}

function byRejection(n: number, p: number, random: () => number): number {
  const spread = Math.sqrt(n * p * (1 - p));
  const b = 1.15 + 2.53 * spread;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const c = n * p + 0.5;
  const alpha = (2.83 + 5.1 / b) * spread;
  const quick = 0.92 - 4.2 / b;
  const mode = Math.floor((n + 1) * p);
  const logOdds = Math.log(p / (1 - p));
  const atMode = logGamma(mode + 1) + logGamma(n - mode + 1);
  for (;;) {
    const u = random() - 0.5;
    const v = random();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (us >= 0.07 && v <= quick) return k;
    if (k < 0 || k > n) continue;
    const bound = Math.log((v * alpha) / (a / (us * us) + b));
    const density = atMode - logGamma(k + 1) - logGamma(n - k + 1) + (k - mode) * logOdds;
    if (bound <= density) return k;
  }
}
