import type { Metric } from "./metric.ts";

/** Share of images whose true class is among the `k` most probable; ties go to the lower class, so that k = 1 is accuracy. */
export function topK(k: number): Metric {
  return {
    name: `top-${k} accuracy`,
    higherIsBetter: true,
    compute({ probabilities, labels, classes, count }) {
      let hits = 0;
      for (let i = 0; i < count; i++) {
        const label = labels[i]!;
        const own = probabilities[i * classes + label]!;
        let ahead = 0;
        for (let c = 0; c < classes; c++) {
          const p = probabilities[i * classes + c]!;
          if (p > own || (p === own && c < label)) ahead++;
        }
        if (ahead < k) hits++;
      }
      return hits / count;
    },
  };
}
