import type { AllocatorStatistics } from "../libtorch/native.ts";
import { engine } from "./engine.ts";

/** Handles that are not disposed: zero at the end of every test. */
export function liveTensors(): number {
  return engine().liveTensors();
}

/** What the CPU allocator holds; see the fields. */
export function memory(): AllocatorStatistics {
  return engine().allocatorStatistics();
}

/** Starts the peaks again from what is in use now. */
export function resetPeakMemory(): void {
  engine().resetPeak();
}

/** Gives cached blocks back to the system. */
export function emptyCache(): void {
  engine().emptyCache();
}

/**
 * How many bytes CPU tensors and cached blocks may take together; infinity, the default, for any number.
 * An operator that would need more fails with "out of memory". Returns the limit before.
 */
export function limitMemory(bytes: number): number {
  return engine().setMemoryLimit(bytes);
}
