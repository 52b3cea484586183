import type { EpochLine, StepLine, Summary, TimingLine } from "../summary.ts";
import { type EventContent, encodeEvent, type Histogram, type PngImage } from "./event.ts";
import { EventFile } from "./event-file.ts";
import { type HParam, hparamsEnd, hparamsExperiment, hparamsStart } from "./hparams.ts";
import type { Tracker, TrackerOptions } from "./tracker.ts";

export interface TensorBoardOptions extends TrackerOptions {
  /** The run's folder. */
  readonly dir: string;
  readonly name: string;
  readonly params: Readonly<Record<string, HParam>>;
  /** Optimizer steps that are done: 0 for a new run. What earlier files say of later steps is void. */
  readonly fromStep: number;
}

/** The results that the HPARAMS tab sets beside the settings. */
const results = [
  ...["Accuracy/test", "MacroF1/test", "Loss/test", "Accuracy/val_best"],
  ...["Time/train_seconds", "Memory/peak_bytes"],
];

/**
 * Writes a run's `events.out.tfevents.*`, a new one for every process that trains it. The step of every value is the
 * number of optimizer steps, of epochs' values too: a resumed run voids by step.
 */
export class TensorBoardTracker implements Tracker {
  readonly #options: TensorBoardOptions;
  #file: EventFile | undefined;
  #step: number;

  constructor(options: TensorBoardOptions) {
    const { dir, name, params, fromStep, now } = options;
    this.#options = options;
    this.#step = fromStep;
    this.#attempt(() => {
      this.#file = new EventFile(dir, now() / 1000);
    });
    this.#add({ kind: "version" }, 0);
    if (fromStep > 0) this.#add({ kind: "restart" }, fromStep + 1);
    this.#add({ kind: "summary", values: [hparamsExperiment(params, results)] });
    this.#add({ kind: "summary", values: [hparamsStart(params, name, now() / 1000)] });
    this.#flush();
  }

  step({ step, loss, lr, gradNorm }: StepLine): void {
    this.#scalars(step, {
      "Loss/step": loss,
      LearningRate: lr,
      ...(gradNorm !== undefined && { GradientNorm: gradNorm }),
    });
  }

  epoch(line: EpochLine, timing: TimingLine): void {
    this.#scalars(line.step, {
      "Loss/train": line.trainLoss,
      "Loss/val": line.valLoss,
      "Accuracy/train": line.trainAccuracy,
      "Accuracy/val": line.valAccuracy,
      "Throughput/images_per_second": timing.imagesPerSecond,
      Epoch: line.epoch,
    });
    // Before the epoch's checkpoint: a run that is resumed from it has no gap.
    this.#flush();
  }

  histograms(step: number, values: Iterable<readonly [string, Histogram]>): void {
    for (const [tag, value] of values) {
      this.#add({ kind: "summary", values: [{ kind: "histogram", tag, value }] }, step);
    }
  }

  image(tag: string, value: PngImage, step: number): void {
    this.#add({ kind: "summary", values: [{ kind: "image", tag, value }] }, step);
  }

  summary({ status, test, best, seconds, peakMemoryBytes }: Summary): void {
    if (status !== "finished" && status !== "failed") return;
    const values = [
      ...[test?.accuracy, test?.macroF1, test?.loss, best?.valAccuracy],
      ...[seconds.train, peakMemoryBytes],
    ];
    const known = results.map((tag, i) => [tag, values[i]] as const);
    this.#scalars(
      this.#step,
      Object.fromEntries(
        known.filter((entry): entry is readonly [string, number] => typeof entry[1] === "number"),
      ),
    );
    const end = hparamsEnd(status, this.#options.now() / 1000);
    this.#add({ kind: "summary", values: [end] });
    this.#flush();
  }

  async close(): Promise<void> {
    this.#flush();
    this.#file?.close();
    this.#file = undefined;
  }

  #scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#step = step;
    const list = Object.entries(values).map(([tag, value]) => ({
      ...{ kind: "scalar" as const, tag, value },
    }));
    this.#add({ kind: "summary", values: list }, step);
  }

  #add(content: EventContent, step = this.#step): void {
    if (this.#file === undefined) return;
    const bytes = encodeEvent(this.#options.now() / 1000, step, content);
    this.#attempt(() => this.#file?.append(bytes));
  }

  #flush(): void {
    this.#attempt(() => this.#file?.flush());
  }

  #attempt(write: () => void): void {
    try {
      write();
    } catch (error) {
      const where = this.#file?.path ?? this.#options.dir;
      this.#file?.close();
      this.#file = undefined;
      this.#options.note(
        `warning: TensorBoard's file is not written from here on: ${where}: ${(error as Error).message}; training goes on, and the run's record has the numbers`,
      );
    }
  }
}
