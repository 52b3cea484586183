import { basename, join } from "node:path";
import type { JudgedRun } from "../run/judged-run.ts";
import { readRun } from "../run/read.ts";
import { writeMisclassified } from "./draw-images.ts";
import { writePlot } from "./plots/render.ts";
import { runPlots } from "./run-plots.ts";
import { trackPictures } from "./track-pictures.ts";

/** Draws all that can be drawn of a run whose test set was judged, into its folder, and shows it to its tracker. */
export async function drawRun({ run, test, input, tracker }: JudgedRun): Promise<void> {
  const files = await writeCurves(run.dir);
  files.push(...(await writeMisclassified(run.dir, run.name, test, input)));
  if (tracker !== undefined) trackPictures(run.dir, files, tracker);
}

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
