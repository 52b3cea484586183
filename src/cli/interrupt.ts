import { ExitCode } from "../errors.ts";
import { type Stop, StoppedError, stopOf } from "../platform/stop.ts";
import { say } from "./output.ts";

/**
 * Turns signals into an abort that long work meets at its next piece: Ctrl-C interrupts, SIGTERM and SIGUSR1 (a
 * scheduler's warning) preempt. A second Ctrl-C ends the process at once.
 */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  /** Ctrl-C that comes with the first one, as npm and other parents pass it on, is the same. */
  #endsAtOnce = false;
  readonly #interrupt = (): void => {
    if (this.#endsAtOnce) process.exit(ExitCode.interrupted);
    say(`${this.#promise} (again: stop at once)`);
    this.#stop("interrupted");
    setImmediate(() => {
      this.#endsAtOnce = true;
    });
  };
  readonly #preempt = (): void => this.#stop("preempted");

  readonly #promise: string;

  /** @param promise What is said to the first Ctrl-C. */
  constructor(promise = "stopping after this step, with a checkpoint") {
    this.#promise = promise;
    process.on("SIGINT", this.#interrupt);
    process.on("SIGTERM", this.#preempt);
    process.on("SIGUSR1", this.#preempt);
  }

  /** Aborted with a StoppedError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get requested(): Stop | undefined {
    return stopOf(this.signal);
  }

  [Symbol.dispose](): void {
    process.off("SIGINT", this.#interrupt);
    process.off("SIGTERM", this.#preempt);
    process.off("SIGUSR1", this.#preempt);
  }

  #stop(stop: Stop): void {
    if (this.requested === undefined) this.#controller.abort(new StoppedError(stop));
  }
}
