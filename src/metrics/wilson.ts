import { ThawError } from "../errors.ts";

/** Quantile 0.975 of the standard normal distribution. */
const Z95 = 1.959963984540054;

/**
 * 95 % confidence interval of a share, `hits` of `count`. It stays within [0, 1] and is right for shares near 1, where
 * the usual ± formula gives an interval of no width. (Wilson 1927)
 */
export function wilson95(hits: number, count: number): readonly [lo: number, hi: number] {
  if (!(count > 0) || !(hits >= 0) || hits > count) {
    throw new ThawError(`no interval for ${hits} hits of ${count} images`);
  }
  const share = hits / count;
  const z2 = Z95 * Z95;
  const denominator = 1 + z2 / count;
  const centre = (share + z2 / (2 * count)) / denominator;
  const half =
    (Z95 / denominator) * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count * count));
  // Exact at the ends, where rounding would leave 1e-17 or 1 + 1e-16.
  return [hits === 0 ? 0 : centre - half, hits === count ? 1 : centre + half];
}
