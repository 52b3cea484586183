import { ThawError } from "../errors.ts";
import { studentQuantile } from "./distributions.ts";

export interface MeanOf {
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation (n - 1); null of one value. */
  readonly deviation: number | null;
  /** 95 % interval of the mean by Student's t; null of one value, which says nothing of the spread. */
  readonly interval95: readonly [lo: number, hi: number] | null;
}

/** Mean of several seeds' results with its interval: `mean ± t(0.975, n - 1) · s / √n`. */
export function tInterval95(values: readonly number[]): MeanOf {
  const n = values.length;
  if (n === 0) throw new ThawError("no mean of no values");
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return { n, mean, deviation: null, interval95: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (n - 1));
  const half = (studentQuantile(0.975, n - 1) * deviation) / Math.sqrt(n);
  return { n, mean, deviation, interval95: [mean - half, mean + half] };
}
