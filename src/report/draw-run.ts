import { basename, join } from "node:path";
import { type Run, readRun, readSteps } from "../run/read.ts";
import { confusionPlot } from "./plots/confusion.ts";
import { trainingCurves } from "./plots/curves.ts";
import { reliabilityBins, reliabilityPlot } from "./plots/reliability.ts";
import { type Plot, writePlot } from "./plots/render.ts";
import { readPredicted } from "./predicted.ts";

/**
 * Draws a run's record into its own folder, each as SVG and PNG: `curves` once it has an epoch; `confusion_matrix`,
 * `confusion_matrix_normalised` and `reliability` once its test set was predicted. Returns the files' names.
 */
export async function writeCurves(dir: string): Promise<string[]> {
  const run = readRun(dir);
  const { name, epochs, confusion } = run;
  const plots: [file: string, Plot][] = [];
  if (epochs.length > 0) {
    plots.push(["curves", trainingCurves(name, epochs, run.summary?.best, gradNorms(run))]);
  }
  if (confusion !== undefined) {
    plots.push(["confusion_matrix", confusionPlot(name, confusion)]);
    const shares = confusionPlot(name, confusion, { normalised: true });
    plots.push(["confusion_matrix_normalised", shares]);
  }
  const predicted = confusion === undefined ? undefined : readPredicted(dir);
  if (predicted !== undefined) {
    plots.push(["reliability", reliabilityPlot(name, reliabilityBins(predicted))]);
  }
  const files: string[] = [];
  for (const [file, plot] of plots) files.push(...(await writePlot(plot, join(dir, file))));
  return files.map((path) => basename(path));
}

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
