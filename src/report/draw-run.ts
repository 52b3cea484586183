import { join } from "node:path";
import { readRun } from "../run/read.ts";
import { writePlot } from "./plots/render.ts";
import { runPlots } from "./run-plots.ts";

/**
 * Draws a run's record into its own folder: `curves.svg|png` once it has an epoch, `confusion_matrix.svg|png` once its
 * test set was predicted. Returns the files.
 */
export async function writeCurves(dir: string): Promise<string[]> {
  const run = readRun(dir);
  const files: string[] = [];
  for (const { file, draw } of runPlots) {
    const plot = draw(run);
    if (plot === undefined) continue;
    await writePlot(plot, join(dir, file));
    files.push(`${file}.svg`, `${file}.png`);
  }
  return files;
}
