import { join } from "node:path";
import { readRun } from "../run/read.ts";
import type { Tracker } from "../run/track/tracker.ts";
import { readPng } from "./png.ts";

const titles: Readonly<Record<string, string>> = {
  "curves.png": "Curves",
  "confusion_matrix.png": "ConfusionMatrix/counts",
  "confusion_matrix_normalised.png": "ConfusionMatrix/normalised",
  "reliability.png": "Reliability",
  "misclassified.png": "Misclassified",
};

/** Shows a tracker the pictures among the files that were drawn into a run's folder, at its last step. */
export function trackPictures(dir: string, files: readonly string[], tracker: Tracker): void {
  const step = readRun(dir).epochs.at(-1)?.step ?? 0;
  for (const [file, title] of Object.entries(titles)) {
    const picture = files.includes(file) ? readPng(join(dir, file)) : undefined;
    if (picture !== undefined) tracker.image(title, picture, step);
  }
}
