import { aroundForward, type Module } from "../nn/index.ts";
import { Profiler, type ProfilerEvent } from "../tensor/index.ts";
import { type PhaseName, type Span, type Step, StepClock } from "./steps.ts";

/** A forward pass of a module. */
export interface ModuleSpan extends Span {
  readonly name: string;
  readonly type: string;
}

/** Steps, modules and operators of a while, by one clock. */
export interface Recording {
  readonly steps: readonly Step[];
  readonly modules: readonly ModuleSpan[];
  readonly events: readonly ProfilerEvent[];
  /** The thread that made the steps, as events name it. */
  readonly thread: number;
  /** Events past the profiler's bound. */
  readonly dropped: number;
}

/** Records what steps do until it is stopped. While there is none, modules and operators run as they are. */
export class Recorder implements Disposable {
  readonly #profiler: Profiler;
  readonly #hooks: Disposable;
  readonly #clock: StepClock;
  readonly #modules: ModuleSpan[] = [];

  constructor(model: Module) {
    const profiler = new Profiler();
    this.#profiler = profiler;
    this.#clock = new StepClock(() => profiler.now());
    this.#hooks = aroundForward(model, (name, module, _input, pass) => {
      const start = profiler.now();
      const y = pass();
      this.#modules.push({ name, type: module.constructor.name, start, end: profiler.now() });
      return y;
    });
  }

  /** Steps that have ended. */
  get steps(): number {
    return this.#clock.steps.length;
  }

  phase(name: PhaseName): void {
    this.#clock.phase(name);
  }

  batch(images: number): void {
    this.#clock.batch(images);
  }

  pause(): void {
    this.#clock.pause();
  }

  /** The first step is left out where there are others: what records it runs for the first time, and takes its time. */
  stop(): Recording {
    this.#hooks[Symbol.dispose]();
    const { events, dropped } = this.#profiler.stop();
    const { thread } = this.#profiler;
    const all = this.#clock.steps;
    const steps = all.length > 1 ? all.slice(1) : all;
    const from = steps[0]?.start ?? 0;
    const isIn = ({ start }: { readonly start: number }) => start >= from;
    const modules = this.#modules.filter(isIn);
    return { steps, modules, events: events.filter(isIn), thread, dropped };
  }

  [Symbol.dispose](): void {
    this.#hooks[Symbol.dispose]();
    this.#profiler[Symbol.dispose]();
  }
}
