import { createHash } from "node:crypto";
import { join } from "node:path";
import type { MemorySplits } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { cacheHome } from "../libtorch/index.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { type Classifier, freeze } from "../models/index.ts";
import { embed } from "../models/predict.ts";
import type { TrainConfig } from "../run/config.ts";
import { cachedFeatures, FeatureLoader } from "../transfer/index.ts";
import { copyModel } from "./build-model.ts";
import type { TrainOptions } from "./events.ts";
import { EVALUATION_BATCH, type Session } from "./session.ts";

/**
 * Where the backbone is frozen and sees the same pixels every epoch, its features are computed once
 * (or were in an earlier run), and the session's epochs train the head on them.
 */
export async function trainOnFeatures(
  session: Session,
  config: TrainConfig,
  data: MemorySplits,
  compute: ComputeChoice,
  options: TrainOptions,
): Promise<void> {
  const { strategy, views, augment, seed, batchSize } = config;
  const sees = augment.crop > 0 || augment.flip || augment.rotation > 0;
  if (strategy !== "freeze" || !config.featureCache || (sees && views === undefined)) return;
  using backbone = frozenCopy(session.model, config, data, compute);
  const weights = digestOf(session.model);
  const { mean, std, fingerprint } = data;
  const featuresOf = async (split: "train" | "val") => {
    const set = data[split];
    const isAugmented = split === "train" && sees;
    const { memoryFormat } = compute;
    await using loader = new Loader(set, {
      ...{ mean, std, memoryFormat, seed, batchSize: EVALUATION_BATCH },
      ...(isAugmented && { augment }),
    });
    return await cachedFeatures(loader, {
      folder: join(options.cache ?? cacheHome(), "features"),
      key: {
        ...{ model: config.model, weights, fingerprint, split, mean, std },
        ...{ height: set.height, width: set.width, precision: compute.precision },
        ...(isAugmented && { augment, seed, views }),
      },
      views: isAugmented ? (views ?? 1) : 1,
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
    batchSize: Math.max(batchSize, EVALUATION_BATCH),
    shuffle: false,
  });
  await session.trainHeadOn(train, val);
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
