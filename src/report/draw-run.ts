import { join } from "node:path";
import { readRun } from "../run/read.ts";
import { confusionPlot } from "./plots/confusion.ts";
import { trainingCurves } from "./plots/curves.ts";
import { writePlot } from "./plots/render.ts";

/**
 * Draws a run's record into its own folder: `curves.svg|png` once it has an epoch, `confusion_matrix.svg|png` once its
 * test set was predicted. Returns the files.
 */
export async function writeCurves(dir: string): Promise<string[]> {
  const run = readRun(dir);
  const files: string[] = [];
  const write = async (plot: Parameters<typeof writePlot>[0], file: string) => {
    await writePlot(plot, join(dir, file));
    files.push(`${file}.svg`, `${file}.png`);
  };
  if (run.epochs.length > 0) {
    await write(trainingCurves(run.name, run.epochs, run.summary?.best), "curves");
  }
  if (run.confusion !== undefined) {
    await write(confusionPlot(run.name, run.confusion), "confusion_matrix");
  }
  return files;
}
