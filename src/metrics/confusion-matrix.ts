import type { Predictions } from "./predictions.ts";

/** Row = true class, column = predicted class, as scikit-learn's. */
export interface ConfusionMatrix {
  readonly classes: number;
  /** [C, C] row-major. */
  readonly counts: Float64Array;
}

export function confusionMatrix({
  labels,
  predicted,
  classes,
  count,
}: Predictions): ConfusionMatrix {
  const counts = new Float64Array(classes * classes);
  for (let i = 0; i < count; i++) counts[labels[i]! * classes + predicted[i]!]!++;
  return { classes, counts };
}

/** Hits, predictions and images of every class: what precision, recall and F1 are made of. */
export interface ClassCounts {
  readonly hits: readonly number[];
  readonly predicted: readonly number[];
  readonly support: readonly number[];
}

export function classCounts({ classes, counts }: ConfusionMatrix): ClassCounts {
  const zeros = () => new Array<number>(classes).fill(0);
  const result = { hits: zeros(), predicted: zeros(), support: zeros() };
  for (let t = 0; t < classes; t++) {
    for (let p = 0; p < classes; p++) {
      const n = counts[t * classes + p]!;
      result.support[t]! += n;
      result.predicted[p]! += n;
      if (t === p) result.hits[t]! += n;
    }
  }
  return result;
}
