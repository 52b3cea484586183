import { ThawError } from "../errors.ts";
import type { Metric } from "./metric.ts";
import type { Predictions } from "./predictions.ts";

/** The images whose highest probability lies in (lo, hi]; the first bin has 0 too. */
export interface CalibrationBin {
  readonly lo: number;
  readonly hi: number;
  readonly count: number;
  /** Mean of the highest probability; null in an empty bin. */
  readonly confidence: number | null;
  /** Share of these images that are right; null in an empty bin. */
  readonly accuracy: number | null;
}

/** The usual number of bins. (Guo et al. 2017, §2) */
const BINS = 15;

/** What a reliability diagram draws: how often a model is right that says it is so sure. Bins are of equal width. */
export function calibrationBins(predictions: Predictions, bins = BINS): CalibrationBin[] {
  if (!Number.isInteger(bins) || bins < 1) throw new ThawError(`calibration: ${bins} bins`);
  const { count, classes, labels, predicted, probabilities } = predictions;
  // As NumPy's linspace, so that a probability on an edge falls into scikit-learn's bin.
  const edges = Array.from({ length: bins + 1 }, (_, i) => (i === bins ? 1 : i * (1 / bins)));
  const counts = new Float64Array(bins);
  const sums = new Float64Array(bins);
  const hits = new Float64Array(bins);
  for (let i = 0; i < count; i++) {
    const p = probabilities[i * classes + predicted[i]!]!;
    let bin = Math.min(bins - 1, Math.max(0, Math.floor(p * bins)));
    while (bin > 0 && p <= edges[bin]!) bin--;
    while (bin < bins - 1 && p > edges[bin + 1]!) bin++;
    counts[bin]!++;
    sums[bin]! += p;
    if (predicted[i] === labels[i]) hits[bin]!++;
  }
  return Array.from(counts, (n, bin) => ({
    lo: edges[bin]!,
    hi: edges[bin + 1]!,
    count: n,
    confidence: n === 0 ? null : sums[bin]! / n,
    accuracy: n === 0 ? null : hits[bin]! / n,
  }));
}

/** Expected calibration error: mean distance of confidence and accuracy over the images' bins. (Guo et al. 2017, eq. 5) */
export function calibrationError(bins = BINS): Metric {
  return {
    name: "expected calibration error",
    higherIsBetter: false,
    compute: (predictions) => calibrationErrorOf(calibrationBins(predictions, bins)),
  };
}

/** The same of bins that are there. */
export function calibrationErrorOf(bins: readonly CalibrationBin[]): number {
  const images = bins.reduce((sum, { count }) => sum + count, 0);
  return bins.reduce(
    (sum, { count, confidence, accuracy }) =>
      count === 0 ? sum : sum + (count / images) * Math.abs(accuracy! - confidence!),
    0,
  );
}
