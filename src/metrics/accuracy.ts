import type { Metric } from "./metric.ts";

/** Share of images whose most probable class is the true one. */
export const accuracy: Metric = {
  name: "accuracy",
  higherIsBetter: true,
  compute({ predicted, labels, count }) {
    let hits = 0;
    for (let i = 0; i < count; i++) if (predicted[i] === labels[i]) hits++;
    return hits / count;
  },
};
