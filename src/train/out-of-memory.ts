import type { Batch } from "../data/loader.ts";
import { ThawError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { type Fit, isOutOfMemory, largestFit, memory, ops, unscoped } from "../tensor/index.ts";
import { type StepOptions, type StepResult, trainStep } from "./step.ts";

/** A step has not got the memory it asked for; the hint says which batch size would fit. */
export class OutOfMemoryError extends ThawError {}

/**
 * {@link trainStep}, which says what would fit where it finds no memory: steps of half the size, and of half of that, are
 * tried until one fits; by the bytes that it took the largest batch is estimated. The run has failed then: they change it.
 * @param gradAccumSteps Batches an update.
 * @throws OutOfMemoryError; DivergedError as the step.
 */
export function trainStepInMemory(
  model: Classifier,
  optimizer: Optimizer,
  batch: Batch,
  options: StepOptions,
  gradAccumSteps: number,
): StepResult {
  const { shape } = batch.images;
  try {
    return trainStep(model, optimizer, batch, options);
  } catch (error) {
    if (!isOutOfMemory(error)) throw error;
    const [size, ...image] = shape as [number, ...number[]];
    const bare = { ...options, accumulation: undefined, watch: undefined, inspect: undefined };
    const fit = largestFit(size, memory().peakBytes, (images) => {
      optimizer.zeroGrad();
      const zeros = unscoped(() => ({
        images: ops.zeros([images, ...image]),
        labels: ops.zeros([images], { dtype: "int64" }),
      }));
      trainStep(model, optimizer, { ...batch, ...zeros }, bare);
    });
    const hint = hintOf(size, gradAccumSteps, fit);
    const [said] = error.message.split("\n");
    throw new OutOfMemoryError(`no memory for a step of ${size} images: ${said}`, {
      hint,
      cause: error,
    });
  }
}

function hintOf(failed: number, gradAccumSteps: number, fit: Fit | undefined): string {
  if (fit === undefined) {
    return "not even a small batch fits: take a smaller model or smaller images, or free memory";
  }
  const { size, bytesAnImage } = fit;
  const cost =
    bytesAnImage === 0 ? "" : ` (an image takes ${(bytesAnImage / 1e6).toPrecision(3)} MB)`;
  const steps = Math.ceil((failed * gradAccumSteps) / size);
  return `--batch-size ${size} would fit${cost}; --grad-accum-steps ${steps} beside it keeps the images of an update`;
}
