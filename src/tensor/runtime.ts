import type { NativeVersion } from "../libtorch/native.ts";
import { engine } from "./engine.ts";

export function version(): NativeVersion {
  return engine().version();
}

export function getThreads(): number {
  return engine().getThreads();
}

/** How many threads an operator called from this thread uses. */
export function setThreads(count: number): void {
  engine().setThreads(count);
}

/** Of this thread alone, for workers that must not take a core from the training step. Linux only. */
export function setNiceness(niceness: number): boolean {
  return engine().setNiceness(niceness);
}

/** Seeds every device's default generator, which operators without a generator argument use. */
export function manualSeed(seed: number): void {
  engine().manualSeed(seed);
}
