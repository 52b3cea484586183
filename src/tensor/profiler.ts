import type { ProfilerEvent } from "../libtorch/native.ts";
import { engine } from "./engine.ts";

export type { ProfilerEvent } from "../libtorch/native.ts";

/** Runs `body` and returns what libtorch executed in it, on all threads. `dropped` counts events past the bound. */
export function profile(
  body: () => void,
  options: { shapes?: boolean } = {},
): { events: readonly ProfilerEvent[]; dropped: number } {
  engine().startProfiler(options.shapes ?? false);
  let stopped = false;
  try {
    body();
    stopped = true;
    return engine().stopProfiler();
  } finally {
    if (!stopped) engine().stopProfiler();
  }
}
