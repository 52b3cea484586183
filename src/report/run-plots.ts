import type { Run } from "../run/read.ts";
import { confusionPlot } from "./plots/confusion.ts";
import { trainingCurves } from "./plots/curves.ts";
import type { Plot } from "./plots/render.ts";

export interface RunPlot {
  /** Its files in the run's folder, without `.svg` and `.png`. */
  readonly file: string;
  /** Undefined where the run has not what it draws. */
  readonly draw: (run: Run) => Plot | undefined;
}

/** What is drawn of every run, into its folder and into the report. A new plot is one line here. */
export const runPlots: readonly RunPlot[] = [
  {
    file: "curves",
    draw: ({ name, epochs, summary }) =>
      epochs.length === 0 ? undefined : trainingCurves(name, epochs, summary?.best),
  },
  {
    file: "confusion_matrix",
    draw: ({ name, confusion }) =>
      confusion === undefined ? undefined : confusionPlot(name, confusion),
  },
];
