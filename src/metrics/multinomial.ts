import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/**
 * Draws test sets with replacement from a table of counts: how many of as many images fall into each cell. It costs what
 * the cells cost, not the images. The same seed gives the same draws.
 */
export class Resampler {
  readonly #counts: Float64Array;
  readonly #binomial: Binomial;
  readonly #images: number;

  constructor(counts: Float64Array, seed: number) {
    this.#counts = counts;
    this.#images = counts.reduce((sum, n) => sum + n, 0);
    this.#binomial = new Binomial(this.#images, seed);
  }

  /** Writes a drawn table, as many cells as counts, into `into`. */
  draw(into: Float64Array): void {
    let left = this.#images;
    let images = left;
    for (let i = 0; i < this.#counts.length; i++) {
      const here = this.#counts[i]!;
      const drawn = here === left ? images : this.#binomial.draw(images, here / left);
      into[i] = drawn;
      images -= drawn;
      left -= here;
    }
  }
}

/** Exactly distributed binomial numbers of at most `most` trials. */
export class Binomial {
  readonly #random: () => number;
  readonly #logFactorials: Float64Array;

  constructor(most: number, seed: number) {
    const generator = xoroshiro128plus(seed);
    this.#random = () => uniformFloat64(generator);
    this.#logFactorials = new Float64Array(most + 1);
    for (let n = 2; n <= most; n++) {
      this.#logFactorials[n] = this.#logFactorials[n - 1]! + Math.log(n);
    }
  }

  /** Successes of `n` trials: by inversion where few are expected, else by BTRS. (Hörmann 1993) */
  draw(n: number, p: number): number {
    if (n === 0 || p <= 0) return 0;
    if (p > 0.5) return n - this.draw(n, 1 - p);
    return n * p < 10 ? this.#byInversion(n, p) : this.#byRejection(n, p);
  }

  #byInversion(n: number, p: number): number {
    const odds = p / (1 - p);
    let term = (1 - p) ** n;
    let rest = this.#random();
    let k = 0;
    while (rest >= term && k < n) {
      rest -= term;
      term *= (odds * (n - k)) / (k + 1);
      k++;
    }
    return k;
  }

  #byRejection(n: number, p: number): number {
    const logs = this.#logFactorials;
    const spread = Math.sqrt(n * p * (1 - p));
    const b = 1.15 + 2.53 * spread;
    const a = -0.0873 + 0.0248 * b + 0.01 * p;
    const c = n * p + 0.5;
    const alpha = (2.83 + 5.1 / b) * spread;
    const quick = 0.92 - 4.2 / b;
    const mode = Math.floor((n + 1) * p);
    for (;;) {
      const u = this.#random() - 0.5;
      const v = this.#random();
      const us = 0.5 - Math.abs(u);
      const k = Math.floor(((2 * a) / us + b) * u + c);
      if (us >= 0.07 && v <= quick) return k;
      if (k < 0 || k > n) continue;
      const bound = Math.log((v * alpha) / (a / (us * us) + b));
      const ways = logs[mode]! + logs[n - mode]! - logs[k]! - logs[n - k]!;
      if (bound <= ways + (k - mode) * Math.log(p / (1 - p))) return k;
    }
  }
}
