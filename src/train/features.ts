import { createHash } from "node:crypto";
import { freemem } from "node:os";
import { join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { cacheHome } from "../libtorch/index.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { type Classifier, freeze, type Stage } from "../models/index.ts";
import { onDevice, underPrecision } from "../models/predict.ts";
import { augmentationOf, cachesFeatures, changesImages } from "../run/augmentation.ts";
import type { TrainConfig } from "../run/config.ts";
import { evaluationBatch, evaluationFit, type NetworkInput, picturesFolder } from "../run/input.ts";
import { bytesPerElement, inference, ops, scope, type Tensor } from "../tensor/index.ts";
import { beforeStage, cachedFeatures, FeatureLoader, trainedStages } from "../transfer/index.ts";
import { copyModel } from "./build-model.ts";
import type { TrainOptions } from "./events.ts";
import { trainingFit } from "./input.ts";
import { transferOf } from "./plan.ts";
import type { Session } from "./session.ts";

/**
 * Where the first stages are frozen and see the same pixels every epoch, what they give is computed once
 * (or was in an earlier run), and the session's epochs train the rest of the network on it. Where they see
 * others, a copy that is ready for forward passes alone computes it in every epoch.
 */
export async function trainOnFeatures(
  session: Session,
  config: TrainConfig,
  data: DatasetSplits,
  input: NetworkInput,
  compute: ComputeChoice,
  options: TrainOptions,
): Promise<void> {
  const { stages } = session.model;
  const names = stages.map(({ name }) => name);
  const from = stages.length - trainedStages(transferOf(config), names, 1).length;
  // Drop path is drawn in stages that do not train too, and under freeze the dropout before the head is in them.
  const isStill = config.strategy === "partial" && !config.dropPath;
  const computeAnew = () => {
    if (isStill) session.startFrozen(frozenCopy(session.model, config, input, compute), from);
  };
  if (from === 0) return;
  if (!cachesFeatures(config)) return computeAnew();
  if (config.teacher !== undefined) {
    options.onNote?.("features are computed in every epoch: the teacher looks at the images");
    return computeAnew();
  }
  const { strategy, views, seed, batchSize } = config;
  const augment = augmentationOf(config);
  const changes = changesImages(config);
  using frozen = frozenCopy(session.model, config, input, compute);
  const give = (images: Tensor) => underPrecision(compute, () => beforeStage(frozen, from, images));
  session.onFeatures ??= fits(give, config, data, input, compute, names[from]!, options);
  if (!session.onFeatures) return computeAnew();
  const weights = digestOf(session.model, stages.slice(0, from));
  const { fingerprint } = data;
  const { mean, std, height, width } = input;
  const { memoryFormat } = compute;
  // Training and validation images have the same to say.
  const onNote = onceEach(options.onNote);
  const featuresOf = async (split: "train" | "val") => {
    const set = data[split];
    const isChanged = split === "train" && changes;
    const fit = isChanged ? trainingFit(config, input, set) : evaluationFit(input, set);
    await using loader = new Loader(set, {
      ...{ mean, std, memoryFormat, seed, batchSize: evaluationBatch(input) },
      ...(isChanged && { augment }),
      ...(fit && { fit }),
      ...{ keepIn: picturesFolder(options.cache), onNote },
      signal: options.signal,
    });
    return await cachedFeatures(loader, {
      folder: join(options.cache ?? cacheHome(), "features"),
      key: {
        ...{ model: config.model, weights, fingerprint, split, mean, std },
        ...{ height, width, precision: compute.precision, ...(fit && { fit }) },
        ...(strategy === "partial" && { before: names[from] }),
        ...(isChanged && { augment, seed, views }),
      },
      views: isChanged ? (views ?? 1) : 1,
      embed: (images) => give(onDevice(images, compute.device)),
      onNote,
      onProgress: (done, total) => options.onFeatures?.({ split, done, total }),
    });
  };
  const loaderOf = async (
    split: "train" | "val",
    how: { batchSize: number; shuffle: boolean; joinsLone?: boolean },
  ) => {
    const { features, seconds } = await featuresOf(split);
    if (split === "train") session.featureSeconds = seconds;
    const { labels } = data[split];
    // Training stops between two steps, which the trainer sees to.
    const signal = split === "val" ? options.signal : undefined;
    return new FeatureLoader(features, labels, { ...how, seed, memoryFormat, signal });
  };
  const { joinsLone } = session;
  const train = await loaderOf("train", { batchSize, shuffle: true, joinsLone });
  const val = await loaderOf("val", {
    batchSize: Math.max(batchSize, evaluationBatch(input)),
    shuffle: false,
  });
  await session.trainOn(from, train, val);
}

/** Tells each text the first time. */
function onceEach(tell: TrainOptions["onNote"]): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (!told.has(text)) tell?.(text);
    told.add(text);
  };
}

/** Do the features of all images take no more than the budget? If not, that is said. */
function fits(
  give: (images: Tensor) => Tensor,
  { featureCacheBudget, views = 1 }: TrainConfig,
  { train, val }: DatasetSplits,
  { channels, height, width }: NetworkInput,
  { device }: ComputeChoice,
  stage: string,
  { onNote }: TrainOptions,
): boolean {
  const one = inference(() =>
    scope(() => {
      const { elements, dtype } = give(ops.zeros([1, channels, height, width], { device }));
      return elements * bytesPerElement[dtype];
    }),
  );
  const megabytes = (one * (views * train.count + val.count)) / 1e6;
  const budget = featureCacheBudget ?? freemem() / 4e6;
  if (megabytes <= budget) return true;
  const shown = (size: number) => `${size.toPrecision(3)} MB`;
  onNote?.(
    `features before ${stage} would take ${shown(megabytes)} and may take ${shown(budget)}: ` +
      "they are computed in every epoch (--feature-cache-budget)",
  );
  return false;
}

/** Ready for forward passes alone; the model itself stays as its files are. */
function frozenCopy(
  model: Classifier,
  config: TrainConfig,
  input: NetworkInput,
  compute: ComputeChoice,
): Classifier {
  const { channels, height, width } = input;
  const copy = copyModel(model, config, input, compute);
  freeze(copy, [channels, height, width], compute);
  return copy;
}

/** Of the frozen stages alone: features do not depend on the others. */
function digestOf(model: Classifier, frozen: readonly Stage[]): string {
  const hash = createHash("sha256");
  const own = new Set<unknown>(
    frozen.flatMap(({ modules, parameters = [] }) => [
      ...parameters,
      ...modules.flatMap((module) => [...module.stateDict().values()]),
    ]),
  );
  for (const [name, tensor] of model.stateDict()) {
    if (own.has(tensor)) hash.update(`${name}\0`).update(tensor.toBytes());
  }
  return hash.digest("hex");
}
