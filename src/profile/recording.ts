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

/** What records runs for the first time, and slowly, until V8 has compiled it: so long its steps are left out. */
const SETTLING_NS = 200e6;

/** Records what steps do until it is stopped. While there is none, modules and operators run as they are. */
export class Recorder implements Disposable {
  readonly #profiler: Profiler;
  readonly #hooks: Disposable;
  readonly #clock: StepClock;
  readonly #modules: ModuleSpan[] = [];

  constructor(model: Module) {
    const profiler = new Profiler();
    this.#profiler = profiler;
    const now = clockOf(profiler);
    this.#clock = new StepClock(now);
    this.#hooks = aroundForward(model, (name, module, _input, pass) => {
      const start = now();
      const y = pass();
      this.#modules.push({ name, type: module.constructor.name, start, end: now() });
      return y;
    });
  }

  /** Has no step ended? */
  get isEmpty(): boolean {
    return this.#clock.steps.length === 0;
  }

  /** Steps that have ended and are kept. */
  get steps(): number {
    return this.#clock.steps.length - this.#settled();
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

  /** The first steps are left out: of a fifth of a second, or one where there are no later ones. */
  stop(): Recording {
    this.#hooks[Symbol.dispose]();
    const { events, dropped } = this.#profiler.stop();
    const { thread } = this.#profiler;
    const all = this.#clock.steps;
    const settled = this.#settled();
    const leftOut = settled < all.length ? settled : all.length > 1 ? 1 : 0;
    const steps = all.slice(leftOut);
    const from = steps[0]?.start ?? 0;
    const isIn = ({ start }: { readonly start: number }) => start >= from;
    const modules = this.#modules.filter(isIn);
    return { steps, modules, events: events.filter(isIn), thread, dropped };
  }

  /** How many of the first steps are left out. */
  #settled(): number {
    const all = this.#clock.steps;
    const from = (all[0]?.start ?? 0) + SETTLING_NS;
    const first = all.findIndex(({ start }, i) => i > 0 && start >= from);
    return first === -1 ? all.length : first;
  }

  [Symbol.dispose](): void {
    this.#hooks[Symbol.dispose]();
    this.#profiler[Symbol.dispose]();
  }
}

/**
 * The profiler's time by JavaScript's own clock: a call into the addon before and after each module would take longer
 * than many a module.
 */
function clockOf(profiler: Profiler): () => number {
  const own = () => performance.now() * 1e6;
  // Of some readings the one that took least time between: what interrupts makes them longer.
  const readings = Array.from({ length: 20 }, () => {
    const before = own();
    const there = profiler.now();
    const after = own();
    return { took: after - before, ahead: there - (before + after) / 2 };
  });
  const { ahead } = readings.reduce((best, reading) => (reading.took < best.took ? reading : best));
  return () => own() + ahead;
}
