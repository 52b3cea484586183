import type { DatasetSplits } from "../data/imageset.ts";
import { type Batch, type BatchSource, Loader } from "../data/loader.ts";
import { ThawError, UsageError } from "../errors.ts";
import {
  type Classifier,
  type ComputeChoice,
  createModel,
  type ModelName,
  models,
} from "../models/index.ts";
import { type Compute, forward, onDevice } from "../models/predict.ts";
import { crossEntropy, withoutInit } from "../nn/index.ts";
import { adam, type Optimizer, parameterGroups } from "../optim/index.ts";
import { Turns } from "../platform/stop.ts";
import { evaluationFit, inputOf, type NetworkInput, resizingFor } from "../run/input.ts";
import {
  Generator,
  inference,
  inMemoryFormat,
  isOutOfMemory,
  ops,
  scope,
  Tensor,
  unscoped,
} from "../tensor/index.ts";
import type { PhaseName } from "./steps.ts";

/** Channels, height and width. */
export type InputSize = readonly [channels: number, height: number, width: number];

/** A training step, which another room makes: forward, loss, backward and update. It frees the batch. */
export type TrainStep = (
  model: Classifier,
  optimizer: Optimizer,
  batch: Batch,
  options: Compute & {
    readonly lr: number;
    readonly loss: (logits: Tensor, targets: { readonly labels: Tensor }) => Tensor;
    readonly clipGrad: undefined;
    readonly watch: { phase(name: PhaseName): void };
  },
) => unknown;

/** Whose images a network is profiled on. */
export type Images =
  | { readonly kind: "drawn"; readonly size: InputSize | undefined; readonly classes: number }
  | { readonly kind: "data"; readonly data: DatasetSplits };

/** What a network sees, and how many classes it has to tell apart. */
export function subjectInput(
  model: ModelName,
  images: Images,
): { readonly input: NetworkInput; readonly classes: number } {
  if (images.kind === "data") {
    const { train, mean, std } = images.data;
    const input = inputOf(train, { mean, std }, resizingFor(train, model, undefined, {}));
    return { input, classes: train.classes.length };
  }
  const [channels, height, width] = images.size ?? [3, ...models[model].imageSize];
  const each = (value: number) => Array.from({ length: channels }, () => value);
  const input = { channels, height, width, mean: each(0.5), std: each(0.5) };
  return { input, classes: images.classes };
}

/**
 * A network as a run would have it, with random weights.
 * @throws UsageError where it does not take images of this size.
 */
export function buildSubject(
  name: ModelName,
  { input, classes }: ReturnType<typeof subjectInput>,
  compute: ComputeChoice,
): { model: Classifier; random: Disposable } {
  const { channels, height, width } = input;
  const init = new Generator(0);
  const dropout = new Generator(0, compute.device);
  const random = {
    [Symbol.dispose]: () => {
      init[Symbol.dispose]();
      dropout[Symbol.dispose]();
    },
  };
  let model: Classifier | undefined;
  try {
    model = createModel(name, {
      ...{ classes, inChannels: channels, imageSize: [height, width] },
      random: { init, dropout },
    }).to(compute);
    const own = model.eval();
    inference(() =>
      scope(() => {
        const image = ops.zeros([1, channels, height, width], { device: compute.device });
        forward(own, inMemoryFormat(image, compute.memoryFormat), compute);
      }),
    );
    return { model, random };
  } catch (error) {
    model?.[Symbol.dispose]();
    random[Symbol.dispose]();
    if (error instanceof ThawError || isOutOfMemory(error)) throw error;
    const [said] = (error as Error).message.split("\n");
    throw new UsageError(
      `${name} does not take images of ${channels}x${height}x${width}: ${said}`,
      {
        hint: `it was designed for ${models[name].imageSize.join("x")} pixels: --input 3x${models[name].imageSize.join("x")}`,
        cause: error,
      },
    );
  }
}

/** @throws UsageError where a network does not take images of this size. */
export function refuseOtherSizes(name: ModelName, images: Images, compute: ComputeChoice): void {
  withoutInit(() => {
    try {
      const { model, random } = buildSubject(name, subjectInput(name, images), compute);
      model[Symbol.dispose]();
      random[Symbol.dispose]();
    } catch (error) {
      // A lack of memory is told where the network is measured.
      if (!isOutOfMemory(error)) throw error;
    }
  });
}

/** Where steps get their batches from: a data set's images as training reads them, or drawn ones. */
export function batchesOf(
  images: Images,
  input: NetworkInput,
  classes: number,
  { memoryFormat }: ComputeChoice,
  batchSize: number,
): BatchSource {
  if (images.kind === "drawn") return drawn(input, classes, memoryFormat, batchSize);
  const { train } = images.data;
  const fit = evaluationFit(input, train);
  const { mean, std } = input;
  return new Loader(train, {
    ...{ mean, std, memoryFormat, seed: 0, batchSize, shuffle: true },
    ...(fit && { fit }),
  });
}

/** The same drawn batch again and again: nothing is prepared beside the step. */
function drawn(
  { channels, height, width }: NetworkInput,
  classes: number,
  memoryFormat: ComputeChoice["memoryFormat"],
  batchSize: number,
): BatchSource {
  using generator = new Generator(0);
  const images = unscoped(() =>
    scope(() =>
      inMemoryFormat(ops.randn([batchSize, channels, height, width], { generator }), memoryFormat),
    ),
  );
  const rows = Int32Array.from({ length: batchSize }, (_, i) => i);
  const labels = unscoped(() =>
    Tensor.from(
      BigInt64Array.from(rows, (row) => BigInt(row % classes)),
      [batchSize],
    ),
  );
  const batch = (index: number): Batch =>
    unscoped(() => ({
      ...{ images: ops.detach(images), labels: ops.detach(labels) },
      ...{ size: batchSize, index, rows },
    }));
  return {
    ...{ count: batchSize, batches: Number.POSITIVE_INFINITY, waited: 0, batchSize },
    async *epoch() {
      const turns = new Turns();
      for (let index = 0; ; index++) {
        await turns.next();
        yield batch(index);
      }
    },
    [Symbol.asyncDispose]: async () => {
      images.dispose();
      labels.dispose();
    },
  };
}

/** Makes steps of one mode on a network, telling `watch` what they do. */
export class Stepper implements Disposable {
  readonly #model: Classifier;
  readonly #compute: ComputeChoice;
  readonly #trainStep: TrainStep | undefined;
  readonly #optimizer: Optimizer | undefined;

  /** @param trainStep Undefined: forward passes in evaluation mode. */
  constructor(model: Classifier, compute: ComputeChoice, trainStep: TrainStep | undefined) {
    this.#model = model;
    this.#compute = compute;
    this.#trainStep = trainStep;
    model.train(trainStep !== undefined);
    if (trainStep !== undefined) {
      const groups = parameterGroups(model.namedParameters());
      this.#optimizer = adam(groups, { lr: LR });
    }
  }

  /** Frees the batch. */
  step(batch: Batch, watch: { phase(name: PhaseName): void }): void {
    if (this.#trainStep !== undefined) {
      const loss = (logits: Tensor, { labels }: { readonly labels: Tensor }) =>
        crossEntropy(logits, labels);
      const options = { ...this.#compute, lr: LR, loss, clipGrad: undefined, watch };
      this.#trainStep(this.#model, this.#optimizer!, batch, options);
      return;
    }
    using images = batch.images;
    using _labels = batch.labels;
    watch.phase("forward");
    inference(() =>
      scope(() => {
        const logits = forward(this.#model, onDevice(images, this.#compute.device), this.#compute);
        // The answers are read: a GPU's work is not done before.
        ops.argmax(logits, { dim: 1 }).toArray("int64");
      }),
    );
    watch.phase("other");
  }

  [Symbol.dispose](): void {
    this.#optimizer?.[Symbol.dispose]();
  }
}

/** So small that the weights stay what they are. */
const LR = 1e-8;
