import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readRun } from "../run/read.ts";
import type { Tracker } from "../run/track/tracker.ts";

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
    if (!files.includes(file)) continue;
    const png = new Uint8Array(readFileSync(join(dir, file)));
    // From its header: signature, length and name of the first chunk, then both sides.
    const view = new DataView(png.buffer, png.byteOffset);
    tracker.image(title, { png, width: view.getUint32(16), height: view.getUint32(20) }, step);
  }
}
