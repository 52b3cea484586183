import type { ProfilerEvent } from "../libtorch/native.ts";
import { engine } from "./engine.ts";

export type { ProfilerEvent } from "../libtorch/native.ts";

/** Runs `body` and returns the operators that libtorch executed in it, on all threads. `dropped` counts events past the bound. */
export function profile(
  body: () => void,
  options: { shapes?: boolean } = {},
): { events: readonly ProfilerEvent[]; dropped: number } {
  using profiler = new Profiler(options);
  body();
  const { events, dropped } = profiler.stop();
  return { events: events.filter(({ kind }) => kind !== "call"), dropped };
}

/**
 * A profile of what goes on, operators and the calls of them from JavaScript, until it is stopped, across awaits too. The process has one: a second that is started
 * meanwhile is an error. Disposed before its end, it is thrown away.
 */
export class Profiler implements Disposable {
  /** The thread that started it, as events name it. */
  readonly thread: number;
  #runs = true;

  constructor(options: { shapes?: boolean } = {}) {
    this.thread = engine().startProfiler(options.shapes ?? false);
  }

  /** Nanoseconds since the start, by the events' own clock. */
  now(): number {
    return engine().profilerClock();
  }

  stop(): { events: readonly ProfilerEvent[]; dropped: number } {
    this.#runs = false;
    return engine().stopProfiler();
  }

  [Symbol.dispose](): void {
    if (this.#runs) this.stop();
  }
}
