import { totalmem } from "node:os";
import { emptyCache, limitMemory, memory, resetPeakMemory } from "./memory.ts";

/** Of our allocator, of libtorch's for a GPU, of C++, of oneDNN and of JavaScript's buffers. */
const MESSAGES =
  /out of memory|bad_alloc|can't allocate memory|cannot allocate memory|could not create a memory|array buffer allocation failed/i;

export function isOutOfMemory(error: unknown): error is Error {
  return error instanceof Error && MESSAGES.test(error.message);
}

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

/** Of the memory that was in use when more was refused, what a step may be planned for. */
const SHARE = 0.9;

export interface Fit {
  /** Images of a batch. */
  readonly size: number;
  /** 0 where it is not counted, as on a GPU. */
  readonly bytesAnImage: number;
}

/**
 * The largest batch below `failed` images for which there is memory: `attempt` is made with half of them, and half of
 * that, until it finds some; by the bytes that it took the largest is estimated. Undefined where not one image fits.
 *
 * @param available Bytes that were in use when more was refused.
 */
export function largestFit(
  failed: number,
  available: number,
  attempt: (size: number) => void,
): Fit | undefined {
  for (let size = failed >> 1; size >= 1; size >>= 1) {
    emptyCache();
    resetPeakMemory();
    const before = memory().currentBytes;
    try {
      attempt(size);
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
