import { ExitCode } from "../errors.ts";
import { say } from "./output.ts";

/**
 * Turns signals into a request that the training loop meets at its next step: Ctrl-C interrupts,
 * SIGTERM and SIGUSR1 (a scheduler's warning) preempt. A second Ctrl-C ends at once.
 */
export class Interrupt implements Disposable {
  #requested: "interrupted" | "preempted" | undefined;
  readonly #interrupt = (): void => {
    if (this.#requested !== undefined) process.exit(ExitCode.interrupted);
    this.#requested = "interrupted";
    say(`${this.#promise} (again: stop at once)`);
  };
  readonly #preempt = (): void => {
    this.#requested ??= "preempted";
  };

  readonly #promise: string;

  /** @param promise What is said to the first Ctrl-C. */
  constructor(promise = "stopping after this step, with a checkpoint") {
    this.#promise = promise;
    process.on("SIGINT", this.#interrupt);
    process.on("SIGTERM", this.#preempt);
    process.on("SIGUSR1", this.#preempt);
  }

  get requested(): "interrupted" | "preempted" | undefined {
    return this.#requested;
  }

  [Symbol.dispose](): void {
    process.off("SIGINT", this.#interrupt);
    process.off("SIGTERM", this.#preempt);
    process.off("SIGUSR1", this.#preempt);
  }
}
