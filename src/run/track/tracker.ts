import type { EpochLine, StepLine, Summary, TimingLine } from "../summary.ts";
import type { Histogram, PngImage } from "./event.ts";

/**
 * Tells a run to somebody else as it goes on. A tracker holds up nothing and never ends a run: what it cannot tell, it
 * notes once and leaves out. The record has all of it.
 */
export interface Tracker {
  step(line: StepLine): void;
  /** Called when the epoch's lines are in the record. */
  epoch(line: EpochLine, timing: TimingLine): void;
  /** Absent where nobody would look at them. */
  histograms?(step: number, values: Iterable<readonly [tag: string, Histogram]>): void;
  image(tag: string, image: PngImage, step: number): void;
  /** The summary as it was written, at whatever stage. */
  summary(summary: Summary): void;
  /** Tells what is left to tell. Throws nothing. */
  close(): Promise<void>;
}

export interface TrackerOptions {
  /** Told what could not be tracked. */
  readonly note: (text: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Tells all of them. */
export class Trackers implements Tracker {
  readonly #all: readonly Tracker[];

  constructor(all: readonly Tracker[]) {
    this.#all = all;
  }

  step(line: StepLine): void {
    for (const tracker of this.#all) tracker.step(line);
  }

  epoch(line: EpochLine, timing: TimingLine): void {
    for (const tracker of this.#all) tracker.epoch(line, timing);
  }

  histograms(step: number, values: Iterable<readonly [string, Histogram]>): void {
    const wanted = this.#all.filter((tracker) => tracker.histograms !== undefined);
    if (wanted.length === 0) return;
    const made = [...values];
    for (const tracker of wanted) tracker.histograms?.(step, made);
  }

  image(tag: string, image: PngImage, step: number): void {
    for (const tracker of this.#all) tracker.image(tag, image, step);
  }

  summary(summary: Summary): void {
    for (const tracker of this.#all) tracker.summary(summary);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((tracker) => tracker.close()));
  }
}
