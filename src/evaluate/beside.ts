import { join } from "node:path";
import { imagesDigest } from "../data/images-digest.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { writeDurably } from "../platform/durable.ts";
import { readRun } from "../run/read.ts";
import type { TestResult } from "../run/results.ts";
import { runPlace } from "../run/run-place.ts";
import { readSplit } from "../run/split-file.ts";

/**
 * The folder for the result of a run's model on test images that are not the run's own; undefined where they are. A run's
 * result is never replaced by one of other images: that gets a folder inside the run's, named by the images.
 */
export function folderBeside(dir: string, data: DatasetSplits): string | undefined {
  if (isOwn(dir, data)) return undefined;
  const digest = imagesDigest(data.test).replace(/^sha256:/, "");
  return join(dir, "evaluations", `${data.test.count}-images-${digest.slice(0, 8)}`);
}

function isOwn(dir: string, data: DatasetSplits): boolean {
  const recorded = readSplit(dir);
  if (recorded !== undefined) {
    if (recorded.fingerprint !== data.fingerprint) return false;
    // Found again by content: a file that was renamed is the same image under another name.
    if (data.origin?.kind === "files" && data.origin.sets.test === data.test) return true;
  }
  const images = readRun(dir).summary?.test?.images;
  return images === undefined || images === imagesDigest(data.test);
}

/** Says in the folder of such a result what it is of. Returns the same for a person. */
export function writeBeside(
  folder: string,
  dir: string,
  data: DatasetSplits,
  test: TestResult,
): string {
  const { leftOut = [] } = data;
  const images = leftOut.filter(({ split }) => split === "test");
  const document = {
    format: "thaw evaluation 1",
    run: dir,
    data: data.name,
    leftOut: images,
    test,
  };
  writeDurably(join(folder, "evaluation.json"), `${JSON.stringify(document, null, 2)}\n`, runPlace);
  const without = images.length > 0 ? `, without ${images.length} missing ones` : "";
  return `evaluated on ${test.n} images${without}: these are not the run's test images, so its own result is unchanged; this one is in ${folder}`;
}
