import { imageBytes, type SplitSet } from "../data/imageset.ts";
import type { Loader } from "../data/loader.ts";
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
import { embed, onDevice } from "../models/predict.ts";
import { loadWeights } from "../models/weights/index.ts";
import { withoutInit } from "../nn/index.ts";
import { Generator, inference, ops, scope, Tensor, unscoped } from "../tensor/index.ts";
import { flagOf } from "./config-flags.ts";
import {
  channelsOf,
  type EvaluationOptions,
  evaluationFit,
  evaluationLoader,
  type GivenResizing,
  type ImageShape,
  inputOf,
  type NetworkInput,
  resizingFor,
} from "./input.ts";
import { loadBestModel } from "./load-model.ts";
import { normalizationOf } from "./normalization.ts";
import { findRun } from "./record.ts";
import { openWeights, type WeightsPlaces } from "./weights.ts";

/** What a classical model sees of images: [count, width] float32. */
export interface FeatureSource extends Disposable {
  /** `pixels`, or the network whose embeddings they are. */
  readonly name: string;
  /** Size of the images that they are taken of. */
  readonly input: ImageShape;
  /** The caller disposes the features. @throws UsageError for images of another shape than the first. */
  extract(set: SplitSet): Promise<Tensor>;
}

export interface FeatureOptions extends Pick<EvaluationOptions, "cache" | "onNote" | "signal"> {
  readonly compute: ComputeChoice;
  readonly places?: WeightsPlaces | undefined;
  /** How images are resized; default the network's way, and photographs for pixels to {@link PIXEL_SIDE}. */
  readonly resizing?: GivenResizing | undefined;
  /** Of a fitted model: the size that it was fitted on. */
  readonly input?: ImageShape | undefined;
}

/** Photographs as pixels are reduced to this side: a linear model of larger ones has no more to say, and takes long. */
export const PIXEL_SIDE = 32;

/**
 * `pixels` (pixel/255), the embeddings of a run's best network by its folder or name, or those of a model of the registry
 * with its published weights; for images such as those of `set`.
 * @throws UsageError where it is none of these, or takes images of another shape.
 */
export async function openFeatures(
  name: string,
  set: SplitSet,
  options: FeatureOptions,
): Promise<FeatureSource> {
  if (name === "pixels") return pixels(set, options);
  const network = isModelName(name)
    ? await published(name, options.input ?? set, options)
    : ofRun(name, options);
  const { channels, height, width } = network.input;
  try {
    evaluationFit(network.input, set, `--features ${name}: it`);
    freeze(network.model, [channels, height, width], options.compute);
  } catch (error) {
    network.model[Symbol.dispose]();
    throw error;
  }
  return embeddings(name, network, options);
}

function pixels(set: SplitSet, { resizing, input: fitted, cache, onNote, signal }: FeatureOptions) {
  const input = fitted ?? pixelInput(set, resizing);
  const each = (value: number) => Array.from({ length: input.channels }, () => value);
  const plain = { ...input, mean: each(0), std: each(1) };
  return {
    name: "pixels",
    input,
    async extract(of: SplitSet) {
      if (!("files" in of) && evaluationFit(input, of) === undefined) {
        return scope(() => {
          const bytes = Tensor.borrow(of.images, [of.count, imageBytes(of)]);
          return ops.div_Scalar(ops.toDtype(bytes, "float32"), 255);
        });
      }
      const options = { memoryFormat: "contiguous", cache, onNote, signal } as const;
      await using loader = evaluationLoader(of, plain, options);
      return await gather(loader, (images) => ops.flatten(images, { startDim: 1 }));
    },
    [Symbol.dispose]() {},
  };
}

function pixelInput(set: SplitSet, resizing: GivenResizing = {}): ImageShape {
  const side = resizing.imgSize ?? ("files" in set ? PIXEL_SIDE : undefined);
  if (side === undefined) {
    const key = (["cropPct", "interpolation"] as const).find(
      (name) => resizing[name] !== undefined,
    );
    if (key === undefined) return inputOf(set, { mean: [], std: [] }, undefined);
    throw new UsageError(`${flagOf([key])}: small images are used as they are`, {
      hint: "use --img-size to resize them",
    });
  }
  const { cropPct = 1, interpolation = "bilinear" } = resizing;
  const {
    mean: _mean,
    std: _std,
    ...shape
  } = inputOf(set, { mean: [], std: [] }, { height: side, width: side, cropPct, interpolation });
  return shape;
}

/** The rows that `embed` makes of every batch, one below the other. */
async function gather(loader: Loader, embed: (images: Tensor) => Tensor): Promise<Tensor> {
  const blocks: Tensor[] = [];
  try {
    for await (const batch of loader.epoch(1)) {
      using images = batch.images;
      using _labels = batch.labels;
      inference(() =>
        scope(() => {
          // A copy of its own: what inference mode makes cannot leave it.
          const copied = ops.toCopy(embed(images), { dtype: "float32", device: "cpu" });
          const flat = copied.toArray("float32");
          blocks.push(unscoped(() => Tensor.from(flat, copied.shape)));
        }),
      );
    }
    return unscoped(() => ops.cat(blocks));
  } finally {
    for (const block of blocks) block.dispose();
  }
}

export interface Network {
  readonly model: Classifier;
  readonly input: NetworkInput;
}

function embeddings(
  name: string,
  { model, input }: Network,
  { compute, cache, onNote, signal }: FeatureOptions,
): FeatureSource {
  return {
    name,
    input,
    async extract(set) {
      const { memoryFormat } = compute;
      await using loader = evaluationLoader(set, input, { memoryFormat, cache, onNote, signal });
      return await gather(loader, (images) =>
        embed(model, onDevice(images, compute.device), compute),
      );
    },
    [Symbol.dispose]() {
      model[Symbol.dispose]();
    },
  };
}

function ofRun(name: string, options: FeatureOptions): Network {
  const { compute, places = {}, resizing } = options;
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
  const given = Object.entries(resizing ?? {}).find(([, value]) => value !== undefined);
  if (given === undefined) return { model, input };
  model[Symbol.dispose]();
  throw new UsageError(
    `${flagOf([given[0]])}: the run ${name} takes images as it was trained on them, of ${input.height}×${input.width}`,
  );
}

/** The network behind embeddings that a classical model was fitted on; the caller disposes it. */
export async function openBackbone(
  name: string,
  input: ImageShape,
  options: Pick<FeatureOptions, "compute" | "places">,
): Promise<Network> {
  return isModelName(name) ? published(name, input, options) : ofRun(name, options);
}

/** For images as those of a set, or of the shape that a model was fitted on. */
async function published(
  name: ModelName,
  seen: SplitSet | ImageShape,
  { compute, places, resizing = {} }: FeatureOptions,
): Promise<Network> {
  const [entry] = models[name].weights;
  if (entry === undefined) {
    throw new UsageError(`--features ${name}: nobody published weights of it`, {
      hint: "train it and give the run: --features runs/<name>",
    });
  }
  const weights = await openWeights(entry.repo, places);
  const isSet = "classes" in seen;
  const channels = isSet ? channelsOf(seen) : seen.channels;
  const normalization = normalizationOf(weights, name, channels, {});
  const { mean, std } = normalization;
  const input = isSet
    ? inputOf(seen, normalization, resizingFor(seen, name, weights, resizing))
    : { ...seen, mean, std };
  using random = new Generator(0);
  const model = withoutInit(() =>
    createModel(name, {
      classes: entry.classes,
      inChannels: input.channels,
      imageSize: [input.height, input.width],
      random: { init: random, dropout: random },
    }),
  );
  try {
    loadWeights(model, weights.tensors, {
      ...{ from: weights.reference, model: name, file: weights },
    });
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
  return { model: model.to(compute).eval(), input };
}

function isModelName(name: string): name is ModelName {
  return (modelNames as readonly string[]).includes(name);
}
