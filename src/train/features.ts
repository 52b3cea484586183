import { createHash } from "node:crypto";
import { join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { cacheHome } from "../libtorch/index.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { type Classifier, createModel, freeze, parseModelName } from "../models/index.ts";
import { embed } from "../models/predict.ts";
import { withoutInit } from "../nn/index.ts";
import { augmentationOf, cachesFeatures, changesImages } from "../run/augmentation.ts";
import type { TrainConfig } from "../run/config.ts";
import { evaluationBatch, evaluationFit, type NetworkInput, picturesFolder } from "../run/input.ts";
import { Generator } from "../tensor/index.ts";
import { cachedFeatures, FeatureLoader } from "../transfer/index.ts";
import type { TrainOptions } from "./events.ts";
import { trainingFit } from "./input.ts";
import type { Session } from "./session.ts";

/**
 * Where the backbone is frozen and sees the same pixels every epoch, its features are computed once
 * (or were in an earlier run), and the session's epochs train the head on them.
 */
export async function trainOnFeatures(
  session: Session,
  config: TrainConfig,
  data: DatasetSplits,
  input: NetworkInput,
  compute: ComputeChoice,
  options: TrainOptions,
): Promise<void> {
  if (!cachesFeatures(config)) return;
  const { views, seed, batchSize } = config;
  const augment = augmentationOf(config);
  const changes = changesImages(config);
  using backbone = frozenCopy(session.model, config, input, compute);
  const weights = digestOf(session.model);
  const { fingerprint } = data;
  const { mean, std, height, width } = input;
  const featuresOf = async (split: "train" | "val") => {
    const set = data[split];
    const isChanged = split === "train" && changes;
    const { memoryFormat } = compute;
    const fit = isChanged ? trainingFit(config, input, set) : evaluationFit(input, set);
    await using loader = new Loader(set, {
      ...{ mean, std, memoryFormat, seed, batchSize: evaluationBatch(input) },
      ...(isChanged && { augment }),
      ...(fit && { fit }),
      ...{ keepIn: picturesFolder(options.cache), onNote: options.onNote },
    });
    return await cachedFeatures(loader, {
      folder: join(options.cache ?? cacheHome(), "features"),
      key: {
        ...{ model: config.model, weights, fingerprint, split, mean, std },
        ...{ height, width, precision: compute.precision, ...(fit && { fit }) },
        ...(isChanged && { augment, seed, views }),
      },
      views: isChanged ? (views ?? 1) : 1,
      embed: (images) => embed(backbone, images, compute),
      onNote: options.onNote,
      onProgress: (done, total) => options.onFeatures?.({ split, done, total }),
    });
  };
  const loaderOf = async (
    split: "train" | "val",
    options: { batchSize: number; shuffle: boolean },
  ) => new FeatureLoader(await featuresOf(split), data[split].labels, { ...options, seed });
  const train = await loaderOf("train", { batchSize, shuffle: true });
  const val = await loaderOf("val", {
    batchSize: Math.max(batchSize, EPOCH_BATCH),
    shuffle: false,
  });
  await session.trainHeadOn(train, val);
}

/** Of features, which are small. */
const EPOCH_BATCH = 256;

/** Ready for forward passes alone; the model itself stays as its files are. */
function frozenCopy(
  model: Classifier,
  { model: name }: TrainConfig,
  { channels, height, width }: NetworkInput,
  compute: ComputeChoice,
): Classifier {
  using random = new Generator(0);
  const copy = withoutInit(() =>
    createModel(parseModelName(name), {
      ...{ classes: model.head.weight.size(0), inChannels: channels, imageSize: [height, width] },
      random: { init: random, dropout: random },
    }),
  ).to(compute);
  copy.loadStateDict(model.stateDict());
  freeze(copy, [channels, height, width], compute);
  return copy;
}

/** Of everything but the head, which the features do not depend on. */
function digestOf(model: Classifier): string {
  const hash = createHash("sha256");
  const head = new Set<unknown>(model.head.parameters());
  for (const [name, tensor] of model.stateDict()) {
    if (head.has(tensor)) continue;
    hash.update(`${name}\0`).update(tensor.toBytes());
  }
  return hash.digest("hex");
}
