import { totalmem } from "node:os";
import { ThawError } from "../errors.ts";
import {
  emptyCache,
  limitMemory,
  memory,
  ops,
  resetPeakMemory,
  type Tensor,
  unscoped,
} from "../tensor/index.ts";

/** A step has not got the memory it asked for; the hint says which batch size would fit. */
export class OutOfMemoryError extends ThawError {}

/** Of our allocator, of libtorch's for a GPU, of C++, of oneDNN and of JavaScript's buffers. */
const MESSAGES =
  /out of memory|bad_alloc|can't allocate memory|cannot allocate memory|could not create a memory|array buffer allocation failed/i;

/**
 * More than the machine or its container has, tensors never get: the system would end the process without
 * a word. A lower limit stays.
 */
export function limitToMachine(): void {
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const before = limitMemory(bytes);
  if (before < bytes) limitMemory(before);
}

export function isOutOfMemory(error: unknown): error is Error {
  return error instanceof Error && MESSAGES.test(error.message);
}

export interface FailedStep {
  /** [N, ...] of the batch. */
  readonly shape: readonly number[];
  /** Batches an update. */
  readonly gradAccumSteps: number;
  /** A step on images of zeros, which it frees; the run has failed, so that it may change what it likes. */
  readonly attempt: (images: Tensor, labels: Tensor) => void;
}

/** Of the memory that was in use when more was refused, what a step may be planned for. */
const SHARE = 0.9;

/**
 * What to tell a person whose step found no memory. Steps of half the size, and of half of that, are tried
 * until one fits; by the bytes that it took the largest batch is estimated.
 */
export function outOfMemory(cause: Error, { shape, ...step }: FailedStep): OutOfMemoryError {
  const [size, ...image] = shape as [number, ...number[]];
  const available = memory().peakBytes;
  const hint = hintOf(size, step.gradAccumSteps, fittingSize(size, image, available, step.attempt));
  const [said] = cause.message.split("\n");
  return new OutOfMemoryError(`no memory for a step of ${size} images: ${said}`, { hint, cause });
}

interface Fit {
  readonly size: number;
  readonly bytesAnImage: number;
}

function fittingSize(
  failed: number,
  image: readonly number[],
  available: number,
  attempt: FailedStep["attempt"],
): Fit | undefined {
  for (let size = failed >> 1; size >= 1; size >>= 1) {
    emptyCache();
    resetPeakMemory();
    const before = memory().currentBytes;
    try {
      const batch = unscoped(() => ({
        images: ops.zeros([size, ...image]),
        labels: ops.zeros([size], { dtype: "int64" }),
      }));
      attempt(batch.images, batch.labels);
    } catch (error) {
      if (isOutOfMemory(error)) continue;
      return undefined;
    }
    const { peakBytes, currentBytes } = memory();
    // What the first step has left behind, as an optimizer's averages, is no part of a batch.
    const lasting = Math.max(before, currentBytes);
    const bytesAnImage = Math.max(0, peakBytes - lasting) / size;
    // A GPU's memory is not counted there: what was tried is all that is known.
    if (bytesAnImage === 0) return { size, bytesAnImage };
    const room = Math.floor((SHARE * (available - lasting)) / bytesAnImage);
    return { size: Math.min(Math.max(size, room), failed - 1), bytesAnImage };
  }
  return undefined;
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
