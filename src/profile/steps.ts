/** What a step is doing. */
export const phaseNames = ["data", "forward", "backward", "optimizer", "other"] as const;
export type PhaseName = (typeof phaseNames)[number];

/** A stretch of time in nanoseconds of one clock. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Phase extends Span {
  readonly name: PhaseName;
}

/** One step, from the wait for its batch to its end. */
export interface Step extends Span {
  readonly images: number;
  readonly phases: readonly Phase[];
}

/** Cuts the course of training into steps, by what it is told; the clock counts nanoseconds. */
export class StepClock {
  readonly steps: Step[] = [];
  readonly #now: () => number;
  #phases: Phase[] = [];
  #open: { name: PhaseName; start: number } | undefined;
  #images = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `data` begins a step and ends the one before. */
  phase(name: PhaseName): void {
    const now = this.#now();
    this.#close(now);
    if (name === "data") this.#endStep();
    this.#open = { name, start: now };
  }

  /** The batch has come. */
  batch(images: number): void {
    this.#images = images;
    // Whoever computes says what follows; until then it is bookkeeping.
    this.phase("other");
  }

  /** The step is over, and none follows at once. */
  pause(): void {
    this.#close(this.#now());
    this.#endStep();
  }

  #close(now: number): void {
    if (this.#open !== undefined) this.#phases.push({ ...this.#open, end: now });
    this.#open = undefined;
  }

  #endStep(): void {
    const [first] = this.#phases;
    const last = this.#phases.at(-1);
    // A wait that no batch ended is no step.
    if (first !== undefined && last !== undefined && this.#images > 0) {
      const span = { start: first.start, end: last.end };
      this.steps.push({ ...span, images: this.#images, phases: this.#phases });
    }
    this.#phases = [];
    this.#images = 0;
  }
}

/** Milliseconds of a step in one of its phases. */
export function phaseMs(step: Step, name: PhaseName): number {
  const own = step.phases.filter((phase) => phase.name === name);
  return own.reduce((sum, { start, end }) => sum + (end - start), 0) / 1e6;
}

/** Milliseconds of a step without the wait for its batch. */
export function computingMs(step: Step): number {
  return (step.end - step.start) / 1e6 - phaseMs(step, "data");
}
