import type { DatasetSplits } from "../data/imageset.ts";
import { type BatchSource, Loader } from "../data/loader.ts";
import { streamSeed } from "../data/random.ts";
import { ThawError } from "../errors.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { type Classifier, createModel, parseModelName } from "../models/index.ts";
import type { TensorData } from "../models/weights/safetensors.ts";
import { fromTensorData, toTensorData } from "../models/weights/tensors.ts";
import { Dropout } from "../nn/index.ts";
import type { Optimizer, Schedule, ScheduleState } from "../optim/index.ts";
import { augmentationOf, mixOf } from "../run/augmentation.ts";
import type { TrainConfig } from "../run/config.ts";
import {
  evaluationBatch,
  evaluationLoader,
  type NetworkInput,
  picturesFolder,
} from "../run/input.ts";
import { Generator, scope, type Tensor } from "../tensor/index.ts";
import { FeatureHead, freezeStages } from "../transfer/index.ts";
import type { TrainOptions } from "./events.ts";
import { trainingFit } from "./input.ts";
import { makeOptimizer, makeSchedule, transferOf } from "./plan.ts";

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
}

/** A run in memory: model, optimizer, schedule, random state and loaders, built from config and data. */
export class Session implements AsyncDisposable {
  readonly model: Classifier;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  train: BatchSource;
  val: BatchSource;
  /** What is trained and validated by the batches: the model, or its head where they are features. */
  network: Classifier;
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

  constructor(
    config: TrainConfig,
    data: DatasetSplits,
    input: NetworkInput,
    compute: ComputeChoice,
    { cache, onNote }: Pick<TrainOptions, "cache" | "onNote"> = {},
  ) {
    const { seed, dropout } = config;
    const { train, val } = data;
    this.#init = new Generator(streamSeed(seed, "init"));
    this.#dropout = new Generator(streamSeed(seed, "dropout"), compute.device);
    this.model = createModel(parseModelName(config.model), {
      classes: train.classes.length,
      inChannels: input.channels,
      imageSize: [input.height, input.width],
      ...(dropout !== undefined && { dropout }),
      random: { init: this.#init, dropout: this.#dropout },
    }).to(compute);
    this.network = this.model;
    this.#headDropout = dropout ?? 0;
    try {
      freezeStages(this.model, transferOf(config), 1);
    } catch (error) {
      this.model[Symbol.dispose]();
      throw error;
    }
    this.optimizer = makeOptimizer(config, this.model);
    const { mean, std } = input;
    const { memoryFormat } = compute;
    const { batchSize } = config;
    const fit = trainingFit(config, input, train);
    const mix = mixOf(config);
    this.train = new Loader(train, {
      ...{ mean, std, memoryFormat, seed, batchSize, shuffle: true },
      augment: augmentationOf(config),
      ...(fit && { fit }),
      ...(mix && { mix }),
      ...{ keepIn: picturesFolder(cache), onNote },
    });
    this.schedule = makeSchedule(config, this.train.batches);
    this.val = evaluationLoader(val, input, {
      ...{ memoryFormat, cache, onNote },
      batchSize: Math.max(batchSize, evaluationBatch(input)),
    });
  }

  /** From now on batches hold features of images, [n, width], and epochs train the head alone. */
  async trainHeadOn(train: BatchSource, val: BatchSource): Promise<void> {
    await this.train[Symbol.asyncDispose]();
    await this.val[Symbol.asyncDispose]();
    this.train = train;
    this.val = val;
    const dropout = new Dropout(this.#headDropout, { random: this.#dropout });
    this.network = new FeatureHead(this.model, dropout);
  }

  /** Everything a resumed run needs, as copies. */
  save(): { tensors: Map<string, TensorData>; state: SavedState } {
    const tensors = new Map<string, TensorData>();
    for (const [name, tensor] of this.model.stateDict()) {
      tensors.set(`model.${name}`, toTensorData(tensor));
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
      this.optimizer.loadState(withPrefix(tensors, "optimizer."), state.optimizerSteps);
      this.#dropout.state = fromTensorData(random);
    });
    this.schedule.load(state.schedule);
    this.progress = { ...state.progress };
  }

  /** The model alone, for a file that other tools load. */
  modelTensors(): Map<string, TensorData> {
    const entries = [...this.model.stateDict()];
    return new Map(entries.map(([name, tensor]) => [name, toTensorData(tensor)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.train[Symbol.asyncDispose]();
    await this.val[Symbol.asyncDispose]();
    this.optimizer[Symbol.dispose]();
    this.model[Symbol.dispose]();
    this.#init[Symbol.dispose]();
    this.#dropout[Symbol.dispose]();
  }
}

const DROPOUT_STATE = "random.dropout";

function withPrefix(tensors: ReadonlyMap<string, TensorData>, prefix: string): Map<string, Tensor> {
  const own = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(own.map(([name, data]) => [name.slice(prefix.length), fromTensorData(data)]));
}
