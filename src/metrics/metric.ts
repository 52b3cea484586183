import type { Predictions } from "./predictions.ts";

/** A number computed from predictions that knows which way is better; reports and early stopping ask it. */
export interface Metric {
  readonly name: string;
  readonly higherIsBetter: boolean;
  compute(predictions: Predictions): number;
}

/** True where `a` is the better value of `metric`; NaN is never better. */
export function isBetter(metric: Pick<Metric, "higherIsBetter">, a: number, b: number): boolean {
  if (Number.isNaN(b)) return !Number.isNaN(a);
  return metric.higherIsBetter ? a > b : a < b;
}
