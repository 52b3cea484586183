import type { DatasetSplits } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { ThawError, UsageError } from "../errors.ts";
import { cpuInfo } from "../libtorch/index.ts";
import { accuracy, logLoss, predictions } from "../metrics/index.ts";
import { type ComputeChoice, chooseCompute } from "../models/compute.ts";
import { predictProbabilities } from "../models/predict.ts";
import { fromTensorData } from "../models/weights/tensors.ts";
import {
  type Fingerprint,
  fingerprintDifferences,
  type Json,
  loadModel,
  newestVerified,
  saveCheckpoint,
  saveModel,
} from "../run/checkpoint.ts";
import { configDigest, type TrainConfig } from "../run/config.ts";
import { describeEnvironment } from "../run/environment.ts";
import { createRun, defaultRunName, type RunRecord, resumeRun } from "../run/record.ts";
import type { EpochLine, RunStatus, Summary, TimingLine } from "../run/summary.ts";
import {
  getThreads,
  memory,
  resetPeakMemory,
  scope,
  setThreads,
  version,
} from "../tensor/index.ts";
import { EVALUATION_BATCH, Session } from "./session.ts";
import { DivergedError, trainStep } from "./step.ts";

/** What a run tells while it goes on; every listener is optional. */
export interface TrainEvents {
  onStart?(info: StartInfo): void;
  onStep?(progress: StepProgress): void;
  onEpoch?(line: EpochLine, timing: TimingLine, best: boolean): void;
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

export interface TrainOptions extends TrainEvents {
  /** Go on with the run of the config's name. */
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  /** Asked after every step: a reason to stop makes a checkpoint and ends the run early. */
  readonly stopRequested?: () => "interrupted" | "preempted" | undefined;
}

export interface TrainResult {
  readonly run: RunRecord;
  readonly summary: Summary;
}

/**
 * Trains a model as the config says and writes its run record: the best epoch by validation accuracy is
 * kept and judged on the test set at the end.
 * @throws UsageError for what cannot be trained; ThawError where training diverges or the disk is full,
 * with the last good checkpoint kept.
 */
export async function train(
  config: TrainConfig,
  data: DatasetSplits,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const started = performance.now();
  if (config.threads !== undefined) setThreads(config.threads);
  const compute = chooseCompute(config);
  const run = openRecord(config, data, compute, options);
  resetPeakMemory();
  await using session = new Session(config, data, compute);
  const trainer = new Trainer(config, data, compute, run, session, options, started);
  if (options.resume) trainer.resume();
  return { run, summary: await trainer.fit() };
}

function openRecord(
  config: TrainConfig,
  data: DatasetSplits,
  compute: ComputeChoice,
  options: TrainOptions,
): RunRecord {
  const name = config.name ?? defaultRunName(config);
  if (options.resume) return resumeRun(name, config.out);
  return createRun({
    out: config.out,
    name,
    config: { ...config, name },
    environment: {
      ...describeEnvironment({
        threads: getThreads(),
        precision: compute.precision,
        device: compute.device,
        dataset: { name: data.name, fingerprint: data.fingerprint },
        engine: { ...version() },
      }),
    },
    ...(options.overwrite && { overwrite: true }),
  });
}

/** The epochs of one run, from wherever its session stands. */
class Trainer {
  readonly #config: TrainConfig;
  readonly #data: DatasetSplits;
  readonly #compute: ComputeChoice;
  readonly #run: RunRecord;
  readonly #session: Session;
  readonly #options: TrainOptions;
  readonly #started: number;
  readonly #fingerprint: Fingerprint;
  /** Seconds of training and of whole epochs, and images trained on, in this process. */
  #trainSeconds = 0;
  #epochSeconds: number[] = [];
  #images = 0;

  constructor(
    config: TrainConfig,
    data: DatasetSplits,
    compute: ComputeChoice,
    run: RunRecord,
    session: Session,
    options: TrainOptions,
    started: number,
  ) {
    this.#config = config;
    this.#data = data;
    this.#compute = compute;
    this.#run = run;
    this.#session = session;
    this.#options = options;
    this.#started = started;
    this.#fingerprint = engineFingerprint();
  }

  /** Loads the newest checkpoint that verifies; a run that has none yet starts from the beginning. */
  resume(): void {
    const { checkpoint, rejected } = newestVerified(this.#run.checkpoints);
    for (const { file, why } of rejected) this.#note(`checkpoint ${file} was passed over: ${why}`);
    if (checkpoint === undefined) {
      this.#note("no checkpoint yet: the run starts from the beginning");
      this.#run.rewind({ epoch: 0, step: 0 });
      return;
    }
    if (checkpoint.configDigest !== digestOf(this.#config)) {
      throw new UsageError(`${this.#run.name} was trained with another config`, {
        hint: `its own is in ${this.#run.path("config.json")}; \`thaw train --resume ${this.#run.name}\` alone uses it`,
      });
    }
    const differences = fingerprintDifferences(checkpoint.fingerprint, this.#fingerprint);
    if (differences.length > 0) {
      const text = `the resumed run will not be the same to the last bit: ${differences.join("; ")}`;
      if (this.#config.exact) throw new ThawError(`--exact: ${text}`);
      this.#note(text);
    }
    this.#session.load(checkpoint.tensors, checkpoint.state);
    this.#run.rewind(checkpoint);
  }

  async fit(): Promise<Summary> {
    const { progress } = this.#session;
    this.#announce();
    this.#writeSummary("running");
    try {
      while (progress.epoch < this.#config.epochs && !this.#stoppedEarly()) {
        const stop = await this.#epoch();
        if (stop !== undefined)
          return this.#writeSummary(stop, { reason: `${stop} in epoch ${progress.epoch + 1}` });
      }
      return await this.#finish();
    } catch (error) {
      this.#recordFailure(error);
      throw error;
    }
  }

  #recordFailure(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    try {
      this.#writeSummary("failed", { reason });
    } catch (second) {
      // On a full disk the summary fails as well: what made training fail is the error to report.
      this.#note(`summary.json still says "running": ${(second as Error).message}`);
    }
  }

  /** One epoch, or the rest of it. Returns why it was left early, after a checkpoint. */
  async #epoch(): Promise<"interrupted" | "preempted" | undefined> {
    const { progress, train, model } = this.#session;
    const epoch = progress.epoch + 1;
    const from = progress.batch;
    const began = performance.now();
    let lr = 0;
    model.train();
    for await (const batch of train.epoch(epoch, from)) {
      lr = this.#config.lr * this.#session.schedule.at(progress.step);
      const { loss, correct, gradNorm } = this.#step(batch, lr);
      progress.step++;
      progress.batch++;
      progress.lossSum += loss * batch.size;
      progress.correct += correct;
      this.#images += batch.size;
      this.#run.appendStep({
        step: progress.step,
        epoch,
        loss,
        lr,
        ...(gradNorm !== undefined && { gradNorm }),
      });
      this.#reportStep(epoch, from, began);
      const stop = this.#options.stopRequested?.();
      // At an epoch's last step the epoch is finished first: its checkpoint is the better one.
      if (stop !== undefined && progress.batch < train.batches) {
        this.#trainSeconds += seconds(began);
        this.#checkpoint();
        return stop;
      }
    }
    const trained = seconds(began);
    this.#trainSeconds += trained;
    await this.#endEpoch(epoch, lr, trained, (train.batches - from) * train.batchSize);
    if (this.#isLast()) return undefined;
    const stop = this.#options.stopRequested?.();
    if (stop !== undefined && !this.#isCheckpointDue()) this.#checkpoint();
    return stop;
  }

  #step(batch: Parameters<typeof trainStep>[2], lr: number): ReturnType<typeof trainStep> {
    const { model, optimizer, progress } = this.#session;
    const { smoothing, clipGrad } = this.#config;
    try {
      return trainStep(model, optimizer, batch, {
        ...this.#compute,
        lr,
        labelSmoothing: smoothing,
        clipGrad,
      });
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error;
      throw this.#diverged(error.message, progress.step + 1, lr, error);
    }
  }

  #diverged(what: string, step: number, lr: number, cause?: Error): DivergedError {
    const epoch = this.#session.progress.epoch + 1;
    const kept = this.#session.progress.epoch > 0 ? "the last good checkpoint is kept; " : "";
    return new DivergedError(
      `training diverged: ${what} at step ${step} (epoch ${epoch}), learning rate ${lr.toPrecision(3)}`,
      {
        hint: `${kept}try a lower --lr, a warm-up (--warmup-epochs 1) or --clip-grad 1`,
        cause,
      },
    );
  }

  async #endEpoch(epoch: number, lr: number, trained: number, images: number): Promise<void> {
    const { progress, schedule, train } = this.#session;
    const began = performance.now();
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
      train: trained,
      validation,
      imagesPerSecond: Math.min(images, train.count) / trained,
    };
    schedule.observe(valLoss);
    const isBest = improves(line, progress.best);
    progress.best = isBest ? { epoch, valAccuracy, valLoss } : progress.best;
    progress.sinceBest = isBest ? 0 : progress.sinceBest + 1;
    progress.epoch = epoch;
    progress.batch = 0;
    progress.lossSum = 0;
    progress.correct = 0;
    this.#epochSeconds.push(trained + validation);
    // The order makes a kill at any point harmless: lines past the checkpoint are removed on resume, and
    // the best model is written again by the epoch that is repeated.
    this.#run.appendEpoch(line);
    this.#run.appendTiming(timing);
    if (isBest) saveModel(this.#run.best, this.#session.modelTensors(), this.#modelMetadata());
    if (this.#isCheckpointDue()) this.#checkpoint();
    this.#writeSummary("running");
    this.#options.onEpoch?.(line, timing, isBest);
  }

  async #validate(epoch: number, lr: number): Promise<{ loss: number; accuracy: number }> {
    const { val, model } = this.#session;
    const probabilities = await predictProbabilities(
      model,
      val.epoch(epoch),
      val.count,
      this.#compute,
    );
    if (probabilities.some(Number.isNaN)) {
      throw this.#diverged("validation gives NaN", this.#session.progress.step, lr);
    }
    const { labels, classes } = this.#data.val;
    const said = predictions(probabilities, labels, classes.length);
    return { loss: logLoss.compute(said), accuracy: accuracy.compute(said) };
  }

  /** Judges the best epoch's model on the test set and closes the record. */
  async #finish(): Promise<Summary> {
    const { model } = this.#session;
    const { test, mean, std } = this.#data;
    scope(() => {
      const { tensors } = loadModel(this.#run.best);
      model.loadStateDict(new Map([...tensors].map(([name, t]) => [name, fromTensorData(t)])));
    });
    const { memoryFormat } = this.#compute;
    await using loader = new Loader(test, {
      mean,
      std,
      memoryFormat,
      seed: 0,
      batchSize: EVALUATION_BATCH,
    });
    const probabilities = await predictProbabilities(
      model,
      loader.epoch(1),
      test.count,
      this.#compute,
    );
    const { classes } = test;
    const result = this.#run.writeResults({
      predictions: predictions(probabilities, test.labels, classes.length),
      classes,
    });
    const early = this.#stoppedEarly() && this.#session.progress.epoch < this.#config.epochs;
    return this.#writeSummary("finished", {
      test: result,
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
    const { patience } = this.#config;
    return patience !== undefined && this.#session.progress.sinceBest >= patience;
  }

  #checkpoint(): void {
    const { progress } = this.#session;
    const { tensors, state } = this.#session.save();
    const info = {
      step: progress.step,
      epoch: progress.epoch,
      samplePosition: progress.batch * this.#config.batchSize,
      configDigest: digestOf(this.#config),
      fingerprint: this.#fingerprint,
      state: state as unknown as Json,
    };
    saveCheckpoint(this.#run.checkpoints, info, tensors);
  }

  /** What is needed to use the model file by itself. */
  #modelMetadata(): Record<string, string> {
    const { model, data } = this.#config;
    const { mean, std, train } = this.#data;
    const { channels, height, width, classes } = train;
    return {
      format: "pt",
      model,
      classes: JSON.stringify(classes),
      input: JSON.stringify({ channels, height, width, mean, std }),
      data,
      run: this.#run.name,
    };
  }

  #writeSummary(
    status: RunStatus,
    extra: { reason?: string; test?: Summary["test"] } = {},
  ): Summary {
    const { progress, model } = this.#session;
    const parameters = model.parameters();
    const { model: name, strategy, seed } = this.#config;
    const summary: Summary = {
      model: name,
      strategy,
      dataset: this.#data.name,
      classes: [...this.#data.train.classes],
      seed,
      status,
      ...(extra.reason !== undefined && { reason: extra.reason }),
      epochs: progress.epoch,
      parameters: total(parameters),
      trainableParameters: total(parameters.filter((p) => p.requiresGrad)),
      best: progress.best,
      test: extra.test ?? null,
      seconds: {
        total: seconds(this.#started),
        train: this.#trainSeconds,
        perEpoch: mean(this.#epochSeconds),
      },
      imagesPerSecond: this.#trainSeconds > 0 ? this.#images / this.#trainSeconds : null,
      peakMemoryBytes: memory().peakBytes,
      precision: this.#compute.precision,
      device: this.#compute.device,
    };
    this.#run.writeSummary(summary);
    return summary;
  }

  #announce(): void {
    const parameters = this.#session.model.parameters();
    const { train, val, test } = this.#data;
    this.#options.onStart?.({
      run: this.#run.name,
      dir: this.#run.dir,
      parameters: total(parameters),
      trainableParameters: total(parameters.filter((p) => p.requiresGrad)),
      compute: this.#compute,
      threads: getThreads(),
      counts: { train: train.count, val: val.count, test: test.count },
      resumedEpoch: this.#session.progress.epoch,
    });
    for (const note of this.#data.notes) this.#note(note);
  }

  #reportStep(epoch: number, from: number, began: number): void {
    if (!this.#options.onStep) return;
    const { progress, train } = this.#session;
    const { epochs } = this.#config;
    const done = progress.batch - from;
    const perStep = seconds(began) / done;
    const stepsLeft = train.batches - progress.batch + (epochs - epoch) * train.batches;
    this.#options.onStep({
      epoch,
      epochs,
      step: progress.batch,
      steps: train.batches,
      loss: progress.lossSum / Math.min(progress.batch * train.batchSize, train.count),
      imagesPerSecond: Math.min(done * train.batchSize, train.count) / seconds(began),
      secondsLeft: stepsLeft * perStep,
    });
  }

  #note(text: string): void {
    this.#options.onNote?.(text);
  }
}

/** Without --exact, which changes no number: it may be given when a run is resumed. */
function digestOf(config: TrainConfig): string {
  return configDigest({ ...config, exact: undefined });
}

function engineFingerprint(): Fingerprint {
  const { libtorch, compiler } = version();
  const cpu = cpuInfo();
  const widest = cpu.avx512 ? "avx512" : cpu.avx2 ? "avx2" : "default";
  return {
    libtorch: `${libtorch} (${compiler})`,
    instructionSet: `${process.env["ATEN_CPU_CAPABILITY"] ?? widest}${cpu.amxBf16 ? "+amx" : ""}`,
    threads: getThreads(),
    worldSize: 1,
  };
}

/** More accurate, or as accurate with a lower loss: with equal counts of right answers the surer one. */
function improves(line: EpochLine, best: Session["progress"]["best"]): boolean {
  if (best === null) return true;
  if (line.valAccuracy !== best.valAccuracy) return line.valAccuracy > best.valAccuracy;
  return line.valLoss < best.valLoss;
}

const seconds = (since: number): number => (performance.now() - since) / 1000;
const total = (tensors: readonly { elements: number }[]): number =>
  tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
