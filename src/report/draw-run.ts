import { basename, join } from "node:path";
import { readRun } from "../run/read.ts";
import { writePlot } from "./plots/render.ts";
import { runPlots } from "./run-plots.ts";

/**
 * Draws a run's record into its own folder, each as SVG and PNG: `curves` once it has an epoch; `confusion_matrix`,
 * `confusion_matrix_normalised` and `reliability` once its test set was predicted. Returns the files' names.
 */
export async function writeCurves(dir: string): Promise<string[]> {
  const run = readRun(dir);
  const files: string[] = [];
  for (const { file, draw } of runPlots) {
    const plot = draw(run);
    if (plot !== undefined) files.push(...(await writePlot(plot, join(dir, file))));
  }
  return files.map((path) => basename(path));
}
