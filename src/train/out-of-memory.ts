import { ThawError } from "../errors.ts";
import { type Fit, largestFit, memory, ops, type Tensor, unscoped } from "../tensor/index.ts";

/** A step has not got the memory it asked for; the hint says which batch size would fit. */
export class OutOfMemoryError extends ThawError {}

export interface FailedStep {
  /** [N, ...] of the batch. */
  readonly shape: readonly number[];
  /** Batches an update. */
  readonly gradAccumSteps: number;
  /** A step on images of zeros, which it frees; the run has failed, so that it may change what it likes. */
  readonly attempt: (images: Tensor, labels: Tensor) => void;
}

/**
 * What to tell a person whose step found no memory. Steps of half the size, and of half of that, are tried
 * until one fits; by the bytes that it took the largest batch is estimated.
 */
export function outOfMemory(cause: Error, { shape, ...step }: FailedStep): OutOfMemoryError {
  const [size, ...image] = shape as [number, ...number[]];
  const fit = largestFit(size, memory().peakBytes, (images) => {
    const batch = unscoped(() => ({
      images: ops.zeros([images, ...image]),
      labels: ops.zeros([images], { dtype: "int64" }),
    }));
    step.attempt(batch.images, batch.labels);
  });
  const hint = hintOf(size, step.gradAccumSteps, fit);
  const [said] = cause.message.split("\n");
  return new OutOfMemoryError(`no memory for a step of ${size} images: ${said}`, { hint, cause });
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
