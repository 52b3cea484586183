import type { DatasetSplits } from "../data/imageset.ts";
import { type Batch, discardBatch } from "../data/loader.ts";
import { accuracy, logLoss, predictions } from "../metrics/index.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { freeze } from "../models/index.ts";
import { predictProbabilities } from "../models/predict.ts";
import { firstUnusable } from "../models/weights/unusable.ts";
import { onStop, type Stop, StoppedError, throwIfStopped } from "../platform/stop.ts";
import { type Fingerprint, type Json, saveCheckpoint, saveModel } from "../run/checkpoint.ts";
import type { TrainConfig } from "../run/config.ts";
import { evaluationLoader, type NetworkInput } from "../run/input.ts";
import { measureLatency } from "../run/latency.ts";
import { loadBestModel } from "../run/load-model.ts";
import { readRun } from "../run/read.ts";
import type { RunRecord } from "../run/record.ts";
import type { EpochLine, RunStatus, StepLine, Summary, TimingLine } from "../run/summary.ts";
import type { Tracker } from "../run/track/tracker.ts";
import { getThreads } from "../tensor/index.ts";
import { freezeStages } from "../transfer/index.ts";
import { type Accumulation, accumulationAt } from "./accumulation.ts";
import { countEpoch, isOver } from "./best.ts";
import type { TrainOptions } from "./events.ts";
import { trainOnFeatures } from "./features.ts";
import { trainFirstStep } from "./first-step.ts";
import { histogramsAreDue, parameterHistograms } from "./histograms.ts";
import { trainingFit } from "./input.ts";
import { keepSteps } from "./keep-steps.ts";
import { modelMetadata } from "./model-metadata.ts";
import { trainStepInMemory } from "./out-of-memory.ts";
import { transferOf } from "./plan.ts";
import { digestOf } from "./resume.ts";
import type { Session } from "./session.ts";
import { DivergedError, divergedAt, NORM_EVERY, type StepResult } from "./step.ts";
import { imagesDone, stepProgress } from "./step-progress.ts";
import { leftOutOf, type Outcome, parameterCounts, summarise } from "./summary.ts";
import { Watch } from "./watch.ts";
import { watched } from "./watched.ts";

export interface TrainerParts {
  readonly config: TrainConfig;
  readonly data: DatasetSplits;
  /** What the network sees of them. */
  readonly input: NetworkInput;
  readonly compute: ComputeChoice;
  readonly run: RunRecord;
  readonly tracker: Tracker;
  readonly session: Session;
  readonly options: TrainOptions;
  readonly fingerprint: Fingerprint;
  /** `performance.now()` when the command began. */
  readonly started: number;
}

/** The epochs of one run, from wherever its session stands. */
export class Trainer {
  readonly #config: TrainConfig;
  readonly #data: DatasetSplits;
  readonly #input: NetworkInput;
  readonly #compute: ComputeChoice;
  readonly #run: RunRecord;
  readonly #tracker: Tracker;
  readonly #session: Session;
  readonly #options: TrainOptions;
  readonly #started: number;
  readonly #fingerprint: Fingerprint;
  readonly #watch: Watch;
  readonly #leftOut: Summary["leftOut"];
  /** Seconds of an epoch that was left before its end. */
  #openSeconds = 0;
  /** Where the newest checkpoint stands. */
  #savedAt: string | undefined;

  constructor(parts: TrainerParts) {
    this.#config = parts.config;
    this.#data = parts.data;
    this.#input = parts.input;
    this.#compute = parts.compute;
    this.#run = parts.run;
    this.#tracker = parts.tracker;
    this.#session = parts.session;
    this.#options = parts.options;
    this.#started = parts.started;
    this.#fingerprint = parts.fingerprint;
    this.#leftOut = leftOutOf(parts.run);
    // Steps that are done when a process begins come from a checkpoint.
    if (this.#session.progress.step > 0) this.#savedAt = this.#position;
    this.#watch = new Watch(parts.data.train.classes.length, readRun(parts.run.dir).epochs);
  }

  /** To the end, or to where the signal stops it. @throws what training throws, which the record then has. */
  async fit(): Promise<Summary> {
    const { progress, ema, model } = this.#session;
    // The average starts from the weights that the run starts from.
    if (progress.step === 0) ema?.set(model);
    this.#writeSummary("running");
    // At once: a second Ctrl-C leaves no time for it.
    using _heard = onStop(this.#options.signal, (stop) => this.#recordEnd(stop, this.#where(stop)));
    try {
      return await this.#train().catch((error: unknown) => {
        if (error instanceof StoppedError) return this.#stop(error.stop);
        throw error;
      });
    } catch (error) {
      const told = keepSteps(error, this.#session, this.#config, () => this.#checkpoint());
      this.#recordEnd("failed", told.message);
      throw told;
    }
  }

  async #train(): Promise<Summary> {
    const { progress, model } = this.#session;
    const parts = [this.#config, this.#data, this.#input, this.#compute] as const;
    await trainOnFeatures(this.#session, ...parts, this.#options);
    this.#announce();
    // Whatever ends the first epoch, there is something to go on from.
    if (progress.step === 0) this.#checkpoint();
    this.#options.watch?.begin(model);
    while (progress.epoch < this.#config.epochs && !this.#stoppedEarly()) await this.#epoch();
    return await this.#finish();
  }

  /** Leaves a checkpoint of where the run stands. */
  #stop(stop: Stop): Summary {
    this.#refuseNonFinite();
    if (this.#savedAt !== this.#position) this.#checkpoint();
    return this.#writeSummary(stop, { reason: this.#where(stop) });
  }

  #where(stop: Stop): string {
    const { epoch } = this.#session.progress;
    return this.#stoppedEarly() || epoch >= this.#config.epochs
      ? `${stop} after the last epoch`
      : `${stop} in epoch ${epoch + 1}`;
  }

  /** What a run's state is known by. */
  get #position(): string {
    const { epoch, step, batch } = this.#session.progress;
    return `${epoch}/${step}/${batch}`;
  }

  #recordEnd(status: RunStatus, reason: string): void {
    try {
      this.#writeSummary(status, { reason });
    } catch (second) {
      // On a full disk the summary fails as well: what made training fail is the error to report.
      this.#note(`summary.json still says "running": ${(second as Error).message}`);
    }
  }

  /** One epoch, or the rest of it. @throws StoppedError where it is left early. */
  async #epoch(): Promise<void> {
    const { progress, train, model, network } = this.#session;
    const epoch = progress.epoch + 1;
    const from = progress.batch;
    const began = performance.now();
    const waited = train.waited;
    const { gradAccumSteps = 1 } = this.#config;
    const update = { loss: 0, images: 0 };
    freezeStages(model, transferOf(this.#config), epoch);
    network.train();
    for await (const batch of watched(train.epoch(epoch, from), this.#options.watch)) {
      // Gradients that are not stepped with yet are in no checkpoint: the update is finished first.
      if (this.#options.signal?.aborted && progress.batch % gradAccumSteps === 0) {
        discardBatch(batch);
        this.#openSeconds = seconds(began);
        throwIfStopped(this.#options.signal);
      }
      const lr = this.#config.lr * this.#session.schedule.at(progress.step);
      const part = accumulationAt(progress.batch, train.batches, gradAccumSteps);
      const { loss, correct, updates, gradNorm } = this.#step(batch, lr, part);
      progress.batch++;
      progress.lossSum += loss * batch.size;
      progress.correct += correct;
      update.loss += loss * batch.size;
      update.images += batch.size;
      if (updates) {
        progress.step++;
        this.#session.ema?.update(model);
        const { step } = progress;
        const mean = gradAccumSteps === 1 ? loss : update.loss / update.images;
        const norm = gradNorm === undefined ? {} : { gradNorm };
        const line: StepLine = { step, epoch, loss: mean, lr, ...norm };
        this.#run.appendStep(line);
        this.#tracker.step(line);
        this.#warn(this.#watch.step(step, mean));
        Object.assign(update, { loss: 0, images: 0 });
      }
      const place = { epoch, epochs: this.#config.epochs, from };
      this.#options.onStep?.(stepProgress(progress, train, place, seconds(began)));
    }
    const spent = { train: seconds(began), dataWait: train.waited - waited };
    this.#openSeconds = spent.train;
    // Of an epoch whose validation alone was left, no image is trained on again.
    await this.#endEpoch(epoch, spent, Math.max(0, train.count - from * train.batchSize));
    this.#openSeconds = 0;
  }

  #step(batch: Batch, lr: number, accumulation: Accumulation): StepResult {
    const { network, optimizer, loss, scaler, progress } = this.#session;
    const { gradAccumSteps = 1 } = this.#config;
    const looks = Math.floor(progress.batch / gradAccumSteps) % NORM_EVERY === 0;
    const clipGrad = this.#config.clipGrad ?? (looks ? Number.MAX_VALUE : undefined);
    try {
      const options = {
        ...{ ...this.#compute, lr, loss, clipGrad, scaler, accumulation },
        watch: this.#options.watch,
        inspect: this.#histograms(),
      };
      const step = progress.step === 0 ? trainFirstStep : trainStepInMemory;
      return step(network, optimizer, batch, options, gradAccumSteps);
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error;
      throw this.#diverged(error.message, progress.step + 1, lr, error);
    }
  }

  /** At the last step of an epoch whose histograms are asked for: takes them. */
  #histograms(): (() => void) | undefined {
    const { progress, train, model } = this.#session;
    if (!histogramsAreDue(this.#config, progress, train.batches)) return undefined;
    return () => this.#tracker.histograms?.(progress.step + 1, parameterHistograms(model));
  }

  /**
   * Before anything is kept. A step's gradient is looked at where it is clipped only: else the loss of
   * the next step shows that it was no number, and here there is none.
   */
  #refuseNonFinite(): void {
    const found = firstUnusable(this.#session.model.stateDict(), Number.MAX_VALUE);
    if (found === undefined) return;
    const { step } = this.#session.progress;
    throw this.#diverged(`${found.name} is no longer finite`, step, this.#lastRate());
  }

  /** Of the newest step. */
  #lastRate(): number {
    return (
      this.#config.lr * this.#session.schedule.at(Math.max(0, this.#session.progress.step - 1))
    );
  }

  #diverged(what: string, step: number, lr: number, cause?: Error): DivergedError {
    return divergedAt(what, { step, lr, finished: this.#session.progress.epoch }, cause);
  }

  async #endEpoch(
    epoch: number,
    spent: Pick<TimingLine, "train" | "dataWait">,
    images: number,
  ): Promise<void> {
    const { progress, schedule, train } = this.#session;
    const began = performance.now();
    const lr = this.#lastRate();
    this.#refuseNonFinite();
    const { loss: valLoss, accuracy: valAccuracy } = await this.#validate(epoch, lr);
    const validation = seconds(began);
    const line: EpochLine = {
      epoch,
      step: progress.step,
      lr,
      trainLoss: progress.lossSum / train.count,
      trainAccuracy: progress.correct / train.count,
      valLoss,
      valAccuracy,
    };
    const timing = {
      epoch,
      ...spent,
      validation,
      imagesPerSecond: images / spent.train,
    };
    schedule.observe(this.#config.plateauMetric === "accuracy" ? valAccuracy : valLoss);
    const isBest = countEpoch(progress, line);
    progress.epoch = epoch;
    progress.batch = 0;
    progress.lossSum = 0;
    progress.correct = 0;
    // The order makes a kill at any point harmless: lines past the checkpoint are removed on resume, and
    // the best model is written again by the epoch that is repeated.
    this.#run.appendEpoch(line);
    this.#run.appendTiming(timing);
    this.#tracker.epoch(line, timing);
    if (isBest) {
      const { classes } = this.#data.train;
      const metadata = modelMetadata(this.#run.name, this.#config, classes, this.#input);
      saveModel(this.#run.best, this.#session.modelTensors(), metadata);
    }
    if (this.#isCheckpointDue()) this.#checkpoint();
    this.#writeSummary("running");
    this.#options.onEpoch?.(line, timing, isBest);
    this.#warn(this.#watch.epoch(line));
  }

  async #validate(epoch: number, lr: number): Promise<{ loss: number; accuracy: number }> {
    const { val, judged } = this.#session;
    const batches = val.epoch(epoch);
    const probabilities = await predictProbabilities(judged, batches, val.count, this.#compute);
    if (probabilities.some(Number.isNaN)) {
      throw this.#diverged("validation gives NaN", this.#session.progress.step, lr);
    }
    const { labels, classes } = this.#data.val;
    const said = predictions(probabilities, labels, classes.length);
    return { loss: logLoss.compute(said), accuracy: accuracy.compute(said) };
  }

  /** Judges the best epoch's model on the test set and closes the record. */
  async #finish(): Promise<Summary> {
    const { test } = this.#data;
    const { channels, height, width } = this.#input;
    // As `thaw evaluate` judges it, so that both say the same to the last bit.
    const { model } = loadBestModel(this.#run.dir, this.#compute);
    using _owned = model;
    freeze(model, [channels, height, width], this.#compute);
    const { cache, onNote, signal } = this.#options;
    const plan = { memoryFormat: this.#compute.memoryFormat, cache, onNote, signal };
    await using loader = evaluationLoader(test, this.#input, plan);
    const batches = loader.epoch(1);
    const probabilities = await predictProbabilities(model, batches, test.count, this.#compute);
    const { classes } = test;
    const judged = predictions(probabilities, test.labels, classes.length);
    const result = this.#run.writeResults({ predictions: judged, classes, set: test });
    const early = this.#stoppedEarly() && this.#session.progress.epoch < this.#config.epochs;
    return this.#writeSummary("finished", {
      test: result,
      ...measureLatency(model, this.#input, this.#compute),
      ...(early && { reason: `no better epoch in ${this.#config.patience}` }),
    });
  }

  /** True where no epoch follows the one that has just ended. */
  #isLast(): boolean {
    return this.#session.progress.epoch === this.#config.epochs || this.#stoppedEarly();
  }

  #isCheckpointDue(): boolean {
    return this.#isLast() || this.#session.progress.epoch % this.#config.checkpointEvery === 0;
  }

  #stoppedEarly(): boolean {
    return isOver(this.#session.progress, this.#config.patience);
  }

  #checkpoint(): void {
    const { progress } = this.#session;
    const { tensors, state } = this.#session.save();
    const info = {
      step: progress.step,
      epoch: progress.epoch,
      samplePosition: imagesDone(progress, this.#session.train),
      configDigest: digestOf(this.#config),
      fingerprint: this.#fingerprint,
      state: state as unknown as Json,
    };
    saveCheckpoint(this.#run.checkpoints, info, tensors, this.#options.onNote);
    this.#savedAt = this.#position;
  }

  #writeSummary(
    status: RunStatus,
    extra: Pick<Outcome, "reason" | "test" | "latencyMs" | "latencyOn"> = {},
  ): Summary {
    const summary = summarise(this.#run, this.#config, this.#data, this.#compute, this.#session, {
      status,
      ...extra,
      leftOut: this.#leftOut,
      totalSeconds: seconds(this.#started),
      openSeconds: this.#openSeconds,
    });
    this.#run.writeSummary(summary);
    this.#tracker.summary(summary);
    return summary;
  }

  #announce(): void {
    const { train, val, test } = this.#data;
    const { name: run, dir } = this.#run;
    this.#options.onStart?.({
      ...{ run, dir, compute: this.#compute, threads: getThreads(), input: this.#input },
      ...parameterCounts(this.#session),
      fit: trainingFit(this.#config, this.#input, train),
      counts: { train: train.count, val: val.count, test: test.count },
      resumedEpoch: this.#session.progress.epoch,
    });
    for (const note of this.#data.notes) this.#note(note);
  }

  #warn(text: string | undefined): void {
    if (text !== undefined) this.#note(text);
  }

  #note(text: string): void {
    this.#options.onNote?.(text);
  }
}

const seconds = (since: number): number => (performance.now() - since) / 1000;
