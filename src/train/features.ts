import { createHash } from "node:crypto";
import { freemem } from "node:os";
import { join } from "node:path";
import type { MemorySplits } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { cacheHome } from "../libtorch/index.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { type Classifier, freeze, type Stage } from "../models/index.ts";
import { underPrecision } from "../models/predict.ts";
import type { TrainConfig } from "../run/config.ts";
import { bytesPerElement, inference, ops, scope, type Tensor } from "../tensor/index.ts";
import { beforeStage, cachedFeatures, FeatureLoader, trainedStages } from "../transfer/index.ts";
import { copyModel } from "./build-model.ts";
import type { TrainOptions } from "./events.ts";
import { transferOf } from "./plan.ts";
import { EVALUATION_BATCH, type Session } from "./session.ts";

/**
 * Where the first stages are frozen and see the same pixels every epoch, what they give is computed once
 * (or was in an earlier run), and the session's epochs train the rest of the network on it.
 */
export async function trainOnFeatures(
  session: Session,
  config: TrainConfig,
  data: MemorySplits,
  compute: ComputeChoice,
  options: TrainOptions,
): Promise<void> {
  const { strategy, views, augment, seed, batchSize } = config;
  const { stages } = session.model;
  const names = stages.map(({ name }) => name);
  const from = stages.length - trainedStages(transferOf(config), names, 1).length;
  const sees = augment.crop > 0 || augment.flip || augment.rotation > 0;
  if (!config.featureCache || from === 0 || (sees && views === undefined)) return;
  if (config.teacher !== undefined) {
    options.onNote?.("features are computed in every epoch: the teacher looks at the images");
    return;
  }
  using frozen = frozenCopy(session.model, config, data, compute);
  const give = (images: Tensor) => underPrecision(compute, () => beforeStage(frozen, from, images));
  session.onFeatures ??= fits(give, config, data, compute, names[from]!, options);
  if (!session.onFeatures) return;
  const weights = digestOf(session.model, stages.slice(0, from));
  const { mean, std, fingerprint } = data;
  const { memoryFormat } = compute;
  const featuresOf = async (split: "train" | "val") => {
    const set = data[split];
    const isAugmented = split === "train" && sees;
    await using loader = new Loader(set, {
      ...{ mean, std, memoryFormat, seed, batchSize: EVALUATION_BATCH },
      ...(isAugmented && { augment }),
    });
    return await cachedFeatures(loader, {
      folder: join(options.cache ?? cacheHome(), "features"),
      key: {
        ...{ model: config.model, weights, fingerprint, split, mean, std },
        ...{ height: set.height, width: set.width, precision: compute.precision },
        ...(strategy === "partial" && { before: names[from] }),
        ...(isAugmented && { augment, seed, views }),
      },
      views: isAugmented ? (views ?? 1) : 1,
      embed: give,
      onNote: options.onNote,
      onProgress: (done, total) => options.onFeatures?.({ split, done, total }),
    });
  };
  const loaderOf = async (
    split: "train" | "val",
    options: { batchSize: number; shuffle: boolean },
  ) => {
    const features = await featuresOf(split);
    return new FeatureLoader(features, data[split].labels, { ...options, seed, memoryFormat });
  };
  const train = await loaderOf("train", { batchSize, shuffle: true });
  const val = await loaderOf("val", {
    batchSize: Math.max(batchSize, EVALUATION_BATCH),
    shuffle: false,
  });
  await session.trainOn(from, train, val);
}

/** Do the features of all images take no more than the budget? If not, that is said. */
function fits(
  give: (images: Tensor) => Tensor,
  { featureCacheBudget, views = 1 }: TrainConfig,
  { train, val }: MemorySplits,
  { device }: ComputeChoice,
  stage: string,
  { onNote }: TrainOptions,
): boolean {
  const { channels, height, width } = train;
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
  data: MemorySplits,
  compute: ComputeChoice,
): Classifier {
  const { channels, height, width } = data.train;
  const copy = copyModel(model, config, data, compute);
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
