import { nearest, UsageError } from "../errors.ts";
import { accuracy, f1, type Metric, precision, predictions, recall } from "../metrics/index.ts";

const metrics = {
  accuracy,
  f1_macro: f1("macro"),
  f1_micro: f1("micro"),
  f1_weighted: f1("weighted"),
  precision_macro: precision("macro"),
  recall_macro: recall("macro"),
} as const satisfies Record<string, Metric>;

/** scikit-learn's names. */
export type ScoringName = keyof typeof metrics;
/** A score of labels by what was predicted for them, the larger the better. */
export type Scoring = ScoringName | ((truth: Int32Array, predicted: Int32Array) => number);

/** @throws UsageError for a name that is not known. */
export function scorer(scoring: Scoring): (truth: Int32Array, predicted: Int32Array) => number {
  if (typeof scoring === "function") return scoring;
  if (!Object.hasOwn(metrics, scoring)) {
    const near = nearest(scoring, Object.keys(metrics));
    throw new UsageError(`there is no scoring ${JSON.stringify(scoring)}`, {
      hint: `${near === undefined ? "" : `did you mean ${near}? `}known: ${Object.keys(metrics).join(", ")}`,
    });
  }
  return (truth, predicted) => {
    // Classes that are in neither do not count, as in scikit-learn.
    const labels = Int32Array.from(new Set([...truth, ...predicted])).sort();
    const code = new Map([...labels].map((label, i) => [label, i]));
    const certain = new Float32Array(truth.length * labels.length);
    predicted.forEach((label, row) => {
      certain[row * labels.length + code.get(label)!] = 1;
    });
    const codes = truth.map((label) => code.get(label)!);
    return metrics[scoring].compute(predictions(certain, codes, labels.length));
  };
}
