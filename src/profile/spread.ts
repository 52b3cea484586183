/** The p-th percentile (0 to 100), between two values linearly, as NumPy's default. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = ((sorted.length - 1) * p) / 100;
  const below = Math.floor(at);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (at - below) * (high - low);
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Interquartile range ÷ median; 0 of a single value. */
export function spreadOf(values: readonly number[]): number {
  const middle = median(values);
  return middle === 0 ? 0 : (percentile(values, 75) - percentile(values, 25)) / middle;
}

/** On a quiet machine steps differ by 1 to 3 %. */
export const NOISY = 0.1;
