import type { DatasetSplits } from "../data/imageset.ts";
import { type BatchSource, Loader } from "../data/loader.ts";
import { streamSeed } from "../data/random.ts";
import { ThawError } from "../errors.ts";
import type { ComputeChoice } from "../models/compute.ts";
import type { Classifier } from "../models/index.ts";
import type { TensorData } from "../models/weights/safetensors.ts";
import { fromTensorData, toTensorData } from "../models/weights/tensors.ts";
import { Dropout } from "../nn/index.ts";
import {
  GradScaler,
  type GradScalerState,
  type Optimizer,
  type Schedule,
  type ScheduleState,
} from "../optim/index.ts";
import { augmentationOf, mixOf } from "../run/augmentation.ts";
import type { TrainConfig } from "../run/config.ts";
import {
  evaluationBatch,
  evaluationLoader,
  type NetworkInput,
  picturesFolder,
} from "../run/input.ts";
import { type Device, Generator, ops, scope, Tensor, unscoped } from "../tensor/index.ts";
import { FeatureHead, FrozenStart, freezeStages, StageTail } from "../transfer/index.ts";
import { updatesPerEpoch } from "./accumulation.ts";
import { buildModel, copyModel } from "./build-model.ts";
import { ModelEma } from "./ema.ts";
import type { TrainOptions } from "./events.ts";
import { trainingFit } from "./input.ts";
import { joinsLoneImage, normsOfOneValue } from "./lone-images.ts";
import { classWeights, makeLoss } from "./loss.ts";
import { makeOptimizer, makeSchedule, transferOf } from "./plan.ts";
import type { Loss } from "./step.ts";
import { openTeacher, type Teacher } from "./teacher.ts";

/** Where a run stands, beside its tensors: everything that a resumed run needs to be the same run. */
export interface Progress {
  /** Optimizer steps done. */
  step: number;
  /** Epochs finished. */
  epoch: number;
  /** Batches of the running epoch that are done, and their sums. */
  batch: number;
  lossSum: number;
  correct: number;
  best: { epoch: number; valAccuracy: number; valLoss: number } | null;
  /** Epochs since the best one. */
  sinceBest: number;
}

/** What a checkpoint's JSON holds. */
interface SavedState {
  readonly progress: Progress;
  readonly schedule: ScheduleState;
  readonly optimizerSteps: Readonly<Record<string, number>>;
  /** Of fp16. */
  readonly scaler?: GradScalerState;
  readonly onFeatures?: boolean;
}

/** A run in memory: model, optimizer, schedule, random state and loaders, built from config and data. */
export class Session implements AsyncDisposable {
  readonly model: Classifier;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  /** Does an epoch's last image join the batch before it, where it would be one of its own? */
  readonly joinsLone: boolean;
  train: BatchSource;
  val: BatchSource;
  /** What is trained by the batches: the model, or its head where they are features. */
  network: Classifier;
  /** What is validated by them: the same, or its moving average. */
  judged: Classifier;
  /** Are batches features? Undefined until it is decided, once for a run and all who resume it. */
  onFeatures: boolean | undefined;
  /** What the features that are trained on took to compute, in this run or an earlier one. */
  featureSeconds = 0;
  readonly loss: Loss;
  readonly ema: ModelEma | undefined;
  readonly scaler: GradScaler | undefined;
  progress: Progress = {
    step: 0,
    epoch: 0,
    batch: 0,
    lossSum: 0,
    correct: 0,
    best: null,
    sinceBest: 0,
  };
  readonly #init: Generator;
  readonly #dropout: Generator;
  readonly #headDropout: number;
  #frozen: Classifier | undefined;
  readonly #teacher: Teacher | undefined;
  readonly #classWeights: Tensor | undefined;

  constructor(
    config: TrainConfig,
    data: DatasetSplits,
    input: NetworkInput,
    compute: ComputeChoice,
    { cache, onNote, signal }: Pick<TrainOptions, "cache" | "onNote" | "signal"> = {},
  ) {
    const { seed, dropout } = config;
    const { train, val } = data;
    const weights = classWeights(config, train);
    this.#init = new Generator(streamSeed(seed, "init"));
    this.#dropout = new Generator(streamSeed(seed, "dropout"), compute.device);
    const random = { init: this.#init, dropout: this.#dropout };
    this.model = buildModel(config, train.classes.length, input, compute, random);
    this.network = this.model;
    this.#headDropout = dropout ?? 0;
    try {
      const transfer = transferOf(config);
      freezeStages(this.model, transfer, 1);
      const norms = () => normsOfOneValue(this.model, transfer, input, compute);
      this.joinsLone = joinsLoneImage(config, train.count, input, norms, onNote);
      this.#teacher = openTeacher(config, data, input, compute);
    } catch (error) {
      this.model[Symbol.dispose]();
      throw error;
    }
    this.#classWeights = weights && lastingOn(compute.device, weights);
    this.loss = makeLoss(config, this.#classWeights, this.#teacher);
    const { modelEma, modelEmaDecay = 0.9998 } = config;
    if (modelEma) {
      this.ema = new ModelEma(copyModel(this.model, config, input, compute), modelEmaDecay);
    }
    this.judged = this.ema?.model ?? this.model;
    if (compute.precision === "fp16") this.scaler = new GradScaler();
    this.optimizer = makeOptimizer(config, this.model);
    const { mean, std } = input;
    const { memoryFormat } = compute;
    const { batchSize, gradAccumSteps = 1 } = config;
    const fit = trainingFit(config, input, train);
    const mix = mixOf(config);
    this.train = new Loader(train, {
      ...{ mean, std, memoryFormat, seed, batchSize, shuffle: true },
      joinsLone: this.joinsLone,
      augment: augmentationOf(config),
      ...(fit && { fit }),
      ...(mix && { mix }),
      ...{ keepIn: picturesFolder(cache), onNote },
    });
    this.schedule = makeSchedule(config, updatesPerEpoch(this.train.batches, gradAccumSteps));
    this.val = evaluationLoader(val, input, {
      ...{ memoryFormat, cache, onNote, signal },
      batchSize: Math.max(batchSize, evaluationBatch(input)),
    });
  }

  /**
   * From now on batches hold what the stages before the number `from` give, and epochs train the rest of
   * the network: the head alone where that is what it sees, [n, width].
   */
  async trainOn(from: number, train: BatchSource, val: BatchSource): Promise<void> {
    await this.train[Symbol.asyncDispose]();
    await this.val[Symbol.asyncDispose]();
    this.train = train;
    this.val = val;
    const dropout = new Dropout(this.#headDropout, { random: this.#dropout });
    const rest = (model: Classifier) =>
      from === model.stages.length - 1
        ? new FeatureHead(model, dropout)
        : new StageTail(model, from);
    this.network = rest(this.model);
    this.judged = this.ema === undefined ? this.network : rest(this.ema.model);
  }

  /** From now on the stages before the number `from` are computed by a frozen copy, which is the session's. */
  startFrozen(copy: Classifier, from: number): void {
    this.#frozen = copy;
    this.network = new FrozenStart(this.model, copy, from);
  }

  /** Everything a resumed run needs, as copies. */
  save(): { tensors: Map<string, TensorData>; state: SavedState } {
    const tensors = new Map<string, TensorData>();
    for (const [name, tensor] of this.model.stateDict()) {
      tensors.set(`model.${name}`, toTensorData(tensor));
    }
    for (const [name, tensor] of this.ema?.model.stateDict() ?? []) {
      tensors.set(`ema.${name}`, toTensorData(tensor));
    }
    for (const [name, tensor] of this.optimizer.state()) {
      tensors.set(`optimizer.${name}`, toTensorData(tensor));
    }
    scope(() => tensors.set(DROPOUT_STATE, toTensorData(this.#dropout.state)));
    return {
      tensors,
      state: {
        progress: { ...this.progress },
        schedule: this.schedule.state(),
        optimizerSteps: { ...this.optimizer.steps },
        ...(this.scaler !== undefined && { scaler: this.scaler.state() }),
        ...(this.onFeatures !== undefined && { onFeatures: this.onFeatures }),
      },
    };
  }

  /** Takes up where `save` was called. @throws ThawError where the state is not of this config. */
  load(tensors: ReadonlyMap<string, TensorData>, saved: unknown): void {
    const state = saved as SavedState;
    const random = tensors.get(DROPOUT_STATE);
    if (random === undefined) throw new ThawError(`the checkpoint has no ${DROPOUT_STATE}`);
    scope(() => {
      this.model.loadStateDict(withPrefix(tensors, "model."));
      this.ema?.model.loadStateDict(withPrefix(tensors, "ema."));
      this.optimizer.loadState(withPrefix(tensors, "optimizer."), state.optimizerSteps);
      this.#dropout.state = fromTensorData(random);
    });
    this.schedule.load(state.schedule);
    if (state.scaler !== undefined) this.scaler?.load(state.scaler);
    this.progress = { ...state.progress };
    this.onFeatures = state.onFeatures;
  }

  /** What is judged, whole and alone, for a file that other tools load. */
  modelTensors(): Map<string, TensorData> {
    const entries = [...(this.ema?.model ?? this.model).stateDict()];
    return new Map(entries.map(([name, tensor]) => [name, toTensorData(tensor)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.train[Symbol.asyncDispose]();
    await this.val[Symbol.asyncDispose]();
    this.optimizer[Symbol.dispose]();
    this.model[Symbol.dispose]();
    this.#frozen?.[Symbol.dispose]();
    this.ema?.[Symbol.dispose]();
    this.#teacher?.[Symbol.dispose]();
    this.#classWeights?.dispose();
    this.#init[Symbol.dispose]();
    this.#dropout[Symbol.dispose]();
  }
}

const DROPOUT_STATE = "random.dropout";

function withPrefix(tensors: ReadonlyMap<string, TensorData>, prefix: string): Map<string, Tensor> {
  const own = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(own.map(([name, data]) => [name.slice(prefix.length), fromTensorData(data)]));
}

function lastingOn(device: Device, values: Float32Array<ArrayBuffer>): Tensor {
  return unscoped(() => {
    using made = Tensor.from(values, [values.length]);
    return ops.toCopy(made, { device });
  });
}
