import type { BatchSource } from "../data/loader.ts";
import type { StepProgress } from "./events.ts";
import type { Progress } from "./session.ts";

/** Images of the running epoch that are done. */
export function imagesDone({ batch }: Pick<Progress, "batch">, train: BatchSource): number {
  return batch >= train.batches ? train.count : batch * train.batchSize;
}

/**
 * How far a run is.
 * @param epoch Its number, from 1, and of how many; `from` is the batch that this process began it with.
 * @param seconds Since then.
 */
export function stepProgress(
  progress: Pick<Progress, "batch" | "lossSum">,
  train: BatchSource,
  { epoch, epochs, from }: { epoch: number; epochs: number; from: number },
  seconds: number,
): StepProgress {
  const perStep = seconds / (progress.batch - from);
  const images = imagesDone(progress, train);
  const stepsLeft = train.batches - progress.batch + (epochs - epoch) * train.batches;
  return {
    epoch,
    epochs,
    step: progress.batch,
    steps: train.batches,
    loss: progress.lossSum / images,
    imagesPerSecond: (images - from * train.batchSize) / seconds,
    secondsLeft: stepsLeft * perStep,
  };
}
