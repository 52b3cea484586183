import type { DatasetSplits } from "../data/imageset.ts";
import { type RecordedSplit, recordSplit, splitNames } from "../data/recorded.ts";
import { ThawError } from "../errors.ts";
import { cacheHome } from "../libtorch/index.ts";
import type { RunRecord } from "../run/record.ts";
import { ancestorsOf, countSeen, imageIds, seenSentences } from "../run/seen-images.ts";
import { readSplit, writeSplit } from "../run/split-file.ts";
import type { TrainOptions } from "./events.ts";
import type { Session } from "./session.ts";

/**
 * The split that a new run keeps. What makes its test images say too much is said: copies of training images among them,
 * and images that a run has learnt from which this one starts from.
 */
export async function recordedFor(
  config: Parameters<typeof ancestorsOf>[0],
  data: DatasetSplits,
  { cache = cacheHome(), onNote, signal }: Pick<TrainOptions, "cache" | "onNote" | "signal">,
): Promise<RecordedSplit> {
  const split = await recordSplit(data, cache, signal);
  const ids = imageIds(split, "test");
  if (ids === undefined) return split;
  const { train, val } = countSeen(split, ids);
  if (train + val > 0) {
    onNote?.(
      `warning: ${train + val} of the ${ids.length} test images ${train + val === 1 ? "is an exact copy of an image" : "are exact copies of images"} in the ${val === 0 ? "training split" : "training or validation split"}: the test accuracy will be too optimistic (thaw data info lists them)`,
    );
  }
  for (const text of seenSentences(ancestorsOf(config), ids, "test images")) onNote?.(text);
  return split;
}

/** Writes into the record of a run that is resumed which images it goes on without. */
export async function goOnWithout(
  run: RunRecord,
  data: DatasetSplits,
  session: Session,
  { cache = cacheHome(), onNote }: Pick<TrainOptions, "cache" | "onNote">,
): Promise<void> {
  const { leftOut = [] } = data;
  // A process that was killed after it went on without images, and before its first checkpoint.
  if (session.progress.batch > session.train.batches) beginEpochAnew(session);
  if (leftOut.length === 0) return;
  const before = readSplit(run.dir);
  if (before === undefined) throw new ThawError(`${run.name} has no record of its images`);
  const now = await recordSplit(data, cache);
  writeSplit(run.dir, { ...now, leftOut: [...before.leftOut, ...leftOut] });
  const counts = splitNames.map((split) => leftOut.filter((one) => one.split === split).length);
  onNote?.(
    `${run.name} continues without ${counts[0]} training, ${counts[1]} validation and ${counts[2]} test images; split.json lists them`,
  );
  if (counts[0]! > 0) beginEpochAnew(session);
}

/** The sums of an epoch that had begun are over images that are no longer there. */
function beginEpochAnew({ progress }: Session): void {
  Object.assign(progress, { batch: 0, lossSum: 0, correct: 0 });
}
