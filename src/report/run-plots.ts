import { type Run, readSteps } from "../run/read.ts";
import { confusionPlot } from "./plots/confusion.ts";
import { trainingCurves } from "./plots/curves.ts";
import { reliabilityPlot } from "./plots/reliability.ts";
import type { Drawing } from "./plots/render.ts";

export interface RunPlot {
  /** Its files in the run's folder, without `.svg` and `.png`. */
  readonly file: string;
  /** Undefined where the run has not what it draws. */
  readonly draw: (run: Run) => Drawing | undefined;
}

/** What is drawn of every run, into its folder and into the report. A new plot is one line here. */
export const runPlots: readonly RunPlot[] = [
  {
    file: "curves",
    draw: (run) =>
      run.epochs.length === 0
        ? undefined
        : trainingCurves(run.name, run.epochs, run.summary?.best, gradNorms(run)),
  },
  {
    file: "confusion_matrix",
    draw: ({ name, confusion }) => confusion && confusionPlot(name, confusion),
  },
  {
    file: "confusion_matrix_normalised",
    draw: ({ name, confusion }) =>
      confusion && confusionPlot(name, confusion, { normalised: true }),
  },
  {
    file: "reliability",
    draw: ({ name, calibration }) => calibration && reliabilityPlot(name, calibration),
  },
];

/** Mean of each epoch's steps, where the gradient's norm was computed. */
function gradNorms({ dir }: Run): Map<number, number> {
  const sums = new Map<number, { sum: number; steps: number }>();
  for (const { epoch, gradNorm } of readSteps(dir)) {
    if (typeof gradNorm !== "number") continue;
    const { sum, steps } = sums.get(epoch) ?? { sum: 0, steps: 0 };
    sums.set(epoch, { sum: sum + gradNorm, steps: steps + 1 });
  }
  return new Map([...sums].map(([epoch, { sum, steps }]) => [epoch, sum / steps]));
}
