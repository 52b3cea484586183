import { type ImageSet, imageBytes } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { UsageError } from "../errors.ts";
import {
  type Classifier,
  type ComputeChoice,
  createModel,
  freeze,
  type ModelName,
  modelNames,
  models,
} from "../models/index.ts";
import { onDevice } from "../models/predict.ts";
import { loadWeights } from "../models/weights/index.ts";
import { withoutInit } from "../nn/index.ts";
import { autocast, Generator, inference, ops, scope, Tensor, unscoped } from "../tensor/index.ts";
import { loadBestModel } from "./load-model.ts";
import { normalizationOf } from "./normalization.ts";
import { findRun } from "./record.ts";
import { openWeights, type WeightsPlaces } from "./weights.ts";

/** What a classical model sees of images: [count, width] float32. */
export interface FeatureSource extends Disposable {
  /** `pixels`, or the network whose embeddings they are. */
  readonly name: string;
  /** The caller disposes the features. @throws UsageError for images of another shape than the first. */
  extract(set: ImageSet): Promise<Tensor>;
}

type Shape = Pick<ImageSet, "channels" | "height" | "width">;

/**
 * `pixels` (pixel/255), the embeddings of a run's best network by its folder or name, or those of a model of the registry
 * with its published weights.
 * @throws UsageError where it is none of these, or takes images of another shape.
 */
export async function openFeatures(
  name: string,
  shape: Shape,
  compute: ComputeChoice,
  places: WeightsPlaces = {},
): Promise<FeatureSource> {
  if (name === "pixels") return pixels();
  const network = isModelName(name)
    ? await published(name, shape, compute, places)
    : ofRun(name, shape, compute, places);
  try {
    freeze(network.model, [shape.channels, shape.height, shape.width], compute);
  } catch (error) {
    network.model[Symbol.dispose]();
    throw error;
  }
  return embeddings(name, network, compute);
}

function pixels(): FeatureSource {
  return {
    name: "pixels",
    async extract(set) {
      return scope(() => {
        const bytes = Tensor.borrow(set.images, [set.count, imageBytes(set)]);
        return ops.div_Scalar(ops.toDtype(bytes, "float32"), 255);
      });
    },
    [Symbol.dispose]() {},
  };
}

interface Network {
  readonly model: Classifier;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const BATCH = 256;

function embeddings(name: string, network: Network, compute: ComputeChoice): FeatureSource {
  const { model, mean, std } = network;
  const embed = (images: Tensor): Tensor => {
    if (compute.autocast === null) return model.embed(images);
    return autocast({ device: compute.device, dtype: compute.autocast }, () => model.embed(images));
  };
  return {
    name,
    async extract(set) {
      const { memoryFormat } = compute;
      await using loader = new Loader(set, { mean, std, memoryFormat, seed: 0, batchSize: BATCH });
      const blocks: Tensor[] = [];
      try {
        for await (const batch of loader.epoch(1)) {
          using images = batch.images;
          using _labels = batch.labels;
          inference(() =>
            scope(() => {
              const embedded = embed(onDevice(images, compute.device));
              // A copy of its own: what inference mode makes cannot leave it.
              const copied = ops.toCopy(embedded, { dtype: "float32", device: "cpu" });
              const flat = copied.toArray("float32");
              blocks.push(unscoped(() => Tensor.from(flat, embedded.shape)));
            }),
          );
        }
        return unscoped(() => ops.cat(blocks));
      } finally {
        for (const block of blocks) block.dispose();
      }
    },
    [Symbol.dispose]() {
      model[Symbol.dispose]();
    },
  };
}

function ofRun(name: string, shape: Shape, compute: ComputeChoice, places: WeightsPlaces): Network {
  let dir: string;
  try {
    dir = findRun(name, places.out);
  } catch (cause) {
    throw new UsageError(`--features ${name}: neither pixels nor a run nor a model of ours`, {
      hint: (cause as UsageError).hint ?? "`thaw models list` names the models",
      cause,
    });
  }
  const { model, input } = loadBestModel(dir, compute);
  const fits = (["channels", "height", "width"] as const).every((key) => input[key] === shape[key]);
  if (fits) return { model, mean: input.mean, std: input.std };
  model[Symbol.dispose]();
  const size = ({ channels, height, width }: Shape) => `${channels}x${height}x${width}`;
  throw new UsageError(
    `--features ${name}: it takes images of ${size(input)}, and these are ${size(shape)}`,
  );
}

async function published(
  name: ModelName,
  shape: Shape,
  compute: ComputeChoice,
  places: WeightsPlaces,
): Promise<Network> {
  const [entry] = models[name].weights;
  if (entry === undefined) {
    throw new UsageError(`--features ${name}: nobody published weights of it`, {
      hint: "train it and give the run: --features runs/<name>",
    });
  }
  const weights = await openWeights(entry.repo, places);
  const { mean, std } = normalizationOf(weights, name, shape.channels, {});
  using random = new Generator(0);
  const model = withoutInit(() =>
    createModel(name, {
      classes: entry.classes,
      inChannels: shape.channels,
      imageSize: [shape.height, shape.width],
      random: { init: random, dropout: random },
    }),
  );
  try {
    loadWeights(model, weights.tensors, { from: weights.reference, model: name });
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
  return { model: model.to(compute).eval(), mean, std };
}

function isModelName(name: string): name is ModelName {
  return (modelNames as readonly string[]).includes(name);
}
