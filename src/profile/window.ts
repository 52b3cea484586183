import type { Module } from "../nn/index.ts";
import { Recorder, type Recording } from "./recording.ts";
import { type PhaseName, type Step, StepClock } from "./steps.ts";

/** How many steps are made for what. */
export interface WindowPlan {
  /** Steps that are not counted: the first ones pay for what later ones find ready. */
  readonly warmup: number;
  /** Steps that are timed, as they are. */
  readonly timed: number;
  /** Timing ends sooner after so many seconds, with three steps at least. */
  readonly seconds: number;
  /** Steps that are recorded with their modules and operators, after some that are recorded and left out. */
  readonly traced: number;
}

const FEWEST = 3;

/**
 * A window of steps: some to warm up, some timed, some recorded. It is told what the steps do, whoever makes them.
 */
export class StepWindow implements Disposable {
  readonly #plan: WindowPlan;
  readonly #model: Module;
  readonly #clock = new StepClock(() => performance.now() * 1e6);
  #recorder: Recorder | undefined;
  #recording: Recording | undefined;
  readonly #onTimed: (() => void) | undefined;
  #isTimed = false;

  /** @param onTimed When the last step is timed, before any is recorded. */
  constructor(model: Module, plan: WindowPlan, onTimed?: () => void) {
    this.#model = model;
    this.#plan = plan;
    this.#onTimed = onTimed;
  }

  /** Timed and recorded: whatever comes, nothing is added. */
  get isDone(): boolean {
    return this.#recording !== undefined || (this.#isTimed && this.#plan.traced === 0);
  }

  get timed(): readonly Step[] {
    return this.#clock.steps.slice(this.#plan.warmup);
  }

  get recording(): Recording | undefined {
    return this.#recording;
  }

  /** Steps that have ended, and how many there are at most. */
  get progress(): { readonly done: number; readonly total: number } {
    const { warmup, timed } = this.#plan;
    const done = this.#isTimed
      ? warmup + timed + (this.#recorder?.steps ?? 0)
      : this.#clock.steps.length;
    return { done, total: warmup + timed + this.#plan.traced };
  }

  phase(name: PhaseName): void {
    if (this.isDone) return;
    if (!this.#isTimed) {
      this.#clock.phase(name);
      if (name !== "data" || !this.#hasEnough()) return;
      this.#clock.pause();
      this.#endTiming();
      if (this.isDone) return;
    }
    if (name === "data") this.#recorder ??= new Recorder(this.#model);
    this.#recorder?.phase(name);
    // A step ends where the next one begins.
    if (name === "data" && this.#recorder!.steps >= this.#plan.traced) this.close();
  }

  batch(images: number): void {
    if (!this.isDone) (this.#isTimed ? this.#recorder : this.#clock)?.batch(images);
  }

  /** What follows is no step, and is not recorded. */
  pause(): void {
    if (this.isDone) return;
    if (!this.#isTimed) this.#clock.pause();
    this.close();
  }

  /** Ends the recording with the steps that it has. */
  close(): void {
    const recorder = this.#recorder;
    if (recorder === undefined) {
      if (!this.#isTimed) this.#clock.pause();
      return;
    }
    recorder.pause();
    if (recorder.isEmpty) recorder[Symbol.dispose]();
    else this.#recording = recorder.stop();
    this.#recorder = undefined;
  }

  #hasEnough(): boolean {
    const { warmup, timed, seconds } = this.#plan;
    const steps = this.#clock.steps.length - warmup;
    if (steps >= timed) return true;
    if (steps < FEWEST) return false;
    const own = this.timed;
    return (own.at(-1)!.end - own[0]!.start) / 1e9 >= seconds;
  }

  #endTiming(): void {
    this.#isTimed = true;
    this.#onTimed?.();
  }

  [Symbol.dispose](): void {
    this.#recorder?.[Symbol.dispose]();
    this.#recorder = undefined;
  }
}
