import { pairwiseSum } from "./average.ts";
import type { Metric } from "./metric.ts";
import type { Predictions } from "./predictions.ts";

/**
 * Area under the ROC curve of each class against the rest: how often an image of the class has the higher probability of
 * it than one of another class, ties counting half. NaN for a class that all images or none are of.
 */
export function rocAucs({ probabilities, labels, classes, count }: Predictions): number[] {
  const support = new Float64Array(classes);
  for (const label of labels) support[label]!++;
  return Array.from(support, (inside, c) => {
    if (inside === 0 || inside === count) return Number.NaN;
    const own = new Float32Array(inside);
    const others = new Float32Array(count - inside);
    let [a, b] = [0, 0];
    for (let i = 0; i < count; i++) {
      const p = probabilities[i * classes + c]!;
      if (labels[i] === c) own[a++] = p;
      else others[b++] = p;
    }
    return wins(own.sort(), others.sort()) / (inside * (count - inside));
  });
}

/**
 * Mean of the classes' areas, plain or by their images, as scikit-learn's `roc_auc_score(multi_class="ovr")`. NaN where a
 * class has none: an average over other classes would be another number than scikit-learn's, which refuses.
 */
export function rocAuc(average: "macro" | "weighted" = "macro"): Metric {
  return {
    name: `${average} ROC-AUC`,
    higherIsBetter: true,
    compute: (predictions) => {
      const areas = rocAucs(predictions);
      if (average === "macro") return pairwiseSum(areas) / areas.length;
      const support = new Float64Array(areas.length);
      for (const label of predictions.labels) support[label]!++;
      return pairwiseSum(areas.map((area, c) => area * support[c]!)) / predictions.count;
    },
  };
}

/** Over all pairs of two ascending lists: those where the first is higher, and half of the equal ones. */
function wins(first: Float32Array, second: Float32Array): number {
  let total = 0;
  let below = 0;
  let upTo = 0;
  for (const value of first) {
    while (below < second.length && second[below]! < value) below++;
    if (upTo < below) upTo = below;
    while (upTo < second.length && second[upTo]! <= value) upTo++;
    total += below + (upTo - below) / 2;
  }
  return total;
}
