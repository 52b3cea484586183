import { type Classifier, type ComputeChoice, multiplyAdds } from "../models/index.ts";
import type { NetworkInput } from "../run/input.ts";
import type { Profile } from "../run/profile.ts";
import { measureGemm } from "./gemm.ts";
import { measured, peaks } from "./measure.ts";
import { machineOf, notesOn, writeProfile, writeTrace } from "./profile.ts";
import { sharesOf } from "./shares.ts";
import type { PhaseName } from "./steps.ts";
import { StepWindow, type WindowPlan } from "./window.ts";

/** What a run is, before its first step. */
export interface ProfiledRun {
  readonly dir: string;
  readonly model: string;
  readonly data: string;
  readonly input: Pick<NetworkInput, "channels" | "height" | "width">;
  readonly compute: ComputeChoice;
}

/**
 * Profiles a window of a training's own steps. It looks on: no number of the training is another for it. When the window
 * is over, `profile.json` and `trace.json` are in the run's folder.
 */
export class TrainingProfile {
  readonly #plan: WindowPlan;
  #run: ProfiledRun | undefined;
  #model: Classifier | undefined;
  #window: StepWindow | undefined;
  #gemm: Profile["gemm"] = null;
  #multiplyAdds = 0;
  #peaks: ReturnType<typeof peaks> | undefined;
  #written = false;

  constructor(plan: WindowPlan) {
    this.#plan = plan;
  }

  /** Whose steps these are; before {@link begin}. */
  describe(run: ProfiledRun): void {
    this.#run = run;
  }

  begin(model: Classifier): void {
    if (this.#run === undefined) return;
    this.#model = model;
    this.#gemm = measureGemm(this.#run.compute);
    this.#multiplyAdds = multiplyAdds(model, sizeOf(this.#run));
    this.#window = new StepWindow(model, this.#plan, () => {
      this.#peaks = peaks();
    });
  }

  phase(name: PhaseName): void {
    this.#window?.phase(name);
    if (this.#window?.isDone && !this.#written) this.#write("finished");
  }

  batch(shape: readonly number[]): void {
    this.#window?.batch(shape[0]!);
  }

  pause(): void {
    this.#window?.pause();
  }

  /**
   * Training is over, at whatever stage. A window that is not is kept as far as it came.
   * Returns whether there is a profile.
   */
  finish(): boolean {
    if (!this.#written && this.#window !== undefined) {
      this.#window.close();
      this.#write("interrupted");
    }
    this.#window?.[Symbol.dispose]();
    return this.#written;
  }

  #write(status: Profile["status"]): void {
    const [run, model, window] = [this.#run!, this.#model!, this.#window!];
    const subject = {
      ...({ mode: "train", multiplyAdds: this.#multiplyAdds, gemm: this.#gemm } as const),
      warmup: this.#plan.warmup,
    };
    const batch = measured(window.timed, this.#peaks ?? peaks(), subject);
    if (batch === undefined) return;
    const { recording } = window;
    const profiled = {
      ...{ model: run.model, input: sizeOf(run) },
      classes: model.head.weight.size(0),
      parameters: model.parameters().reduce((sum, { elements }) => sum + elements, 0),
      ...{ multiplyAdds: this.#multiplyAdds, batches: [batch] },
      shares: (recording && sharesOf(recording, model)) ?? null,
    };
    const { data, compute, dir } = run;
    const head = { ...machineOf(compute), status, mode: "train", data, gemm: this.#gemm } as const;
    if (recording !== undefined) writeTrace(dir, [{ name: run.model, recording }]);
    writeProfile(dir, { ...head, models: [profiled], notes: notesOn([profiled]) });
    this.#written = true;
  }
}

function sizeOf({ input }: ProfiledRun): [number, number, number] {
  return [input.channels, input.height, input.width];
}
