import { setImmediate } from "node:timers/promises";
import { ExitCode, ThawError } from "../errors.ts";

/** Why work is left before its end: Ctrl-C, or a scheduler that wants the machine. */
export type Stop = "interrupted" | "preempted";

/** Thrown by what was told to stop: it has not failed. The exit code is that of the reason. */
export class StoppedError extends ThawError {
  readonly stop: Stop;

  constructor(stop: Stop) {
    super(`${stop} before the end`, { exitCode: ExitCode[stop] });
    this.stop = stop;
  }
}

/** Why a signal was aborted, undefined while it was not. A reason that is no StoppedError is an interruption. */
export function stopOf(signal: AbortSignal | undefined): Stop | undefined {
  if (!signal?.aborted) return undefined;
  return signal.reason instanceof StoppedError ? signal.reason.stop : "interrupted";
}

/** @throws StoppedError where the signal was aborted. */
export function throwIfStopped(signal: AbortSignal | undefined): void {
  const stop = stopOf(signal);
  if (stop !== undefined) throw new StoppedError(stop);
}

/** Calls `heard` when the signal is aborted, until the result is disposed. */
export function onStop(signal: AbortSignal | undefined, heard: (stop: Stop) => void): Disposable {
  const listener = (): void => heard(stopOf(signal)!);
  signal?.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", listener) };
}

/** Long work in pieces: between two of them, others may run. It returns what the whole work gives. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Does all pieces at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Does the pieces with turns of the event loop in between. @throws StoppedError where the signal was aborted. */
export async function inTurns<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  const turns = new Turns(signal);
  try {
    for (;;) {
      await turns.next();
      const { done, value } = steps.next();
      if (done) return value;
    }
  } finally {
    // What was left early cleans up; of what has ended nothing is left to do.
    steps.return(undefined as T);
  }
}

/** Milliseconds between two turns of the event loop, at least: a turn takes a few microseconds. */
const INTERVAL = 2;

/**
 * Lets the event loop turn between the pieces of long work, so that signals, timers and servers get their share. Promises
 * alone do not: where data come faster than steps, each await is answered by a microtask and the loop stands still.
 */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #last = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** To be awaited before each piece. @throws StoppedError where the signal was aborted. */
  async next(): Promise<void> {
    if (performance.now() - this.#last >= INTERVAL) {
      await setImmediate();
      this.#last = performance.now();
    }
    throwIfStopped(this.#signal);
  }
}
