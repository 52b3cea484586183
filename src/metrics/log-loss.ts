import type { Metric } from "./metric.ts";

/**
 * Mean cross-entropy in nats. Probabilities are held away from 0 and 1 by the double's epsilon and rows are scaled to
 * sum 1, as scikit-learn does: one impossible prediction costs 36 nats, not infinity.
 */
export const logLoss: Metric = {
  name: "log loss",
  higherIsBetter: false,
  compute({ probabilities, labels, classes, count }) {
    const clip = (p: number) => Math.min(Math.max(p, Number.EPSILON), 1 - Number.EPSILON);
    let total = 0;
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += clip(probabilities[i * classes + c]!);
      total -= Math.log(clip(probabilities[i * classes + labels[i]!]!) / sum);
    }
    return total / count;
  },
};
