import { readFileSync } from "node:fs";

/** A tensor as the oracles describe it: its L2 norm, its sum, and the elements at `sampleIndices`. */
export interface Described {
  readonly norm: number;
  readonly sum: number;
  readonly samples: readonly number[];
}

export function torchFixture<T>(name: string): T {
  const url = new URL(`fixtures/torch/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as T;
}

/** Largest difference over the largest expected magnitude: what "relative 1e-4" means for a tensor. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let magnitude = 1e-30;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - expected[i]!));
    magnitude = Math.max(magnitude, Math.abs(expected[i]!));
  }
  return got.length === expected.length ? difference / magnitude : Number.POSITIVE_INFINITY;
}
