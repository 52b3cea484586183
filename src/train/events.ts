import type { ImageFit } from "../data/files/fit.ts";
import type { ComputeChoice } from "../models/compute.ts";
import type { Classifier } from "../models/index.ts";
import type { LoadReport } from "../models/weights/index.ts";
import type { TrainConfig } from "../run/config.ts";
import type { NetworkInput } from "../run/input.ts";
import type { JudgedRun } from "../run/judged-run.ts";
import type { RunRecord } from "../run/record.ts";
import type { EpochLine, Summary, TimingLine } from "../run/summary.ts";
import type { Weights } from "../run/weights.ts";

/** What a run tells while it goes on; every listener is optional. */
export interface TrainEvents {
  onStart?(info: StartInfo): void;
  /** While a frozen backbone's features are computed; pieces of a split. */
  onFeatures?(progress: { split: "train" | "val"; done: number; total: number }): void;
  onStep?(progress: StepProgress): void;
  onEpoch?(line: EpochLine, timing: TimingLine, best: boolean): void;
  /** The weights that a run starts from are in the model. */
  onWeights?(report: LoadReport, from: string): void;
  /** A warning or remark for the person. */
  onNote?(text: string): void;
}

export interface StartInfo {
  readonly run: string;
  readonly dir: string;
  readonly parameters: number;
  readonly trainableParameters: number;
  readonly compute: ComputeChoice;
  readonly threads: number;
  readonly input: NetworkInput;
  /** How training images are brought to the input's size; undefined where they have it. */
  readonly fit: ImageFit | undefined;
  readonly counts: { readonly train: number; readonly val: number; readonly test: number };
  /** Epochs already done, when a run is resumed. */
  readonly resumedEpoch: number;
}

export interface StepProgress {
  readonly epoch: number;
  readonly epochs: number;
  /** Steps of this epoch, done and in all. */
  readonly step: number;
  readonly steps: number;
  /** Mean loss of the epoch so far. */
  readonly loss: number;
  readonly imagesPerSecond: number;
  /** Of the whole run, at the speed so far. */
  readonly secondsLeft: number;
}

/** What a step is doing. `other` is its bookkeeping. */
export type StepPhase = "data" | "forward" | "backward" | "optimizer" | "other";

/** Looks on while steps are made, and changes no number of them. */
export interface StepWatch {
  /** Before the first step; it leaves the model as it was. */
  begin(model: Classifier): void;
  /** What begins now. `data`, the wait for a batch, begins a step and ends the one before. */
  phase(phase: StepPhase): void;
  /** The step's images, [N, C, H, W], have come. */
  batch(shape: readonly number[]): void;
  /** The last step has ended, and no other follows at once. */
  pause(): void;
}

export interface TrainOptions extends TrainEvents {
  /** Opens the config's weights where they are needed, which a resumed run seldom does; default `openStartWeights`. */
  readonly openWeights?: (config: TrainConfig) => Promise<Weights | undefined>;
  /** Go on with the run of the config's name. */
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  /** Folder of what is kept between runs, as features of frozen backbones and decoded photographs; default Thaw's cache. */
  readonly cache?: string;
  /** Draws what the record says when training has ended, before trackers are closed: they may show the pictures. */
  readonly pictures?: (judged: JudgedRun) => Promise<void>;
  /** Absent: nothing is measured, and nothing is lost by it. */
  readonly watch?: StepWatch | undefined;
  /**
   * Aborted: the run ends before its next step, or its next batch of validation or test images, with a checkpoint, and
   * can be resumed. The reason may be a StoppedError; any other is an interruption.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface TrainResult {
  readonly run: RunRecord;
  readonly summary: Summary;
}
