import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { MemorySplits } from "../data/imageset.ts";
import { parseModelName } from "../models/index.ts";
import { loadWeights } from "../models/weights/index.ts";
import type { TrainConfig } from "../run/config.ts";
import { forChannels, normalizationOf } from "../run/normalization.ts";
import type { Weights } from "../run/weights.ts";
import type { TrainEvents } from "./events.ts";
import type { Session } from "./session.ts";

/** The config with the normalisation that is used, so that a resumed run needs its weights no more. */
export function withNormalization(
  config: TrainConfig,
  weights: Weights | undefined,
  data: MemorySplits,
): TrainConfig {
  if (weights === undefined || config.mean !== undefined) return config;
  const { mean, std } = normalizationOf(
    weights,
    parseModelName(config.model),
    data.train.channels,
    config,
  );
  return { ...config, mean: [...mean], std: [...std] };
}

/** The data, normalised as the config says where it says so. */
export function normalizedAs({ mean, std }: TrainConfig, data: MemorySplits): MemorySplits {
  if (mean === undefined || std === undefined) return data;
  const { channels } = data.train;
  return {
    ...data,
    mean: forChannels(mean, channels, "mean"),
    std: forChannels(std, channels, "std"),
  };
}

/** Fills a new session's model; its head stays as it was built where the classes are others. */
export function startFrom(
  weights: Weights,
  config: TrainConfig,
  data: MemorySplits,
  session: Session,
  events: TrainEvents,
): void {
  const { reference, classes } = weights;
  const report = loadWeights(session.model, weights.tensors, {
    from: reference,
    model: config.model,
    newHead: true,
    ...(classes !== undefined && { classes: { file: classes, model: data.train.classes } }),
  });
  events.onWeights?.(report, reference);
}

/** What the environment records of the weights: a file of the same name may be another tomorrow. */
export async function describeWeights({ reference, path, format, layout }: Weights) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return {
    reference,
    path,
    format,
    ...(layout !== undefined && { layout }),
    sha256: hash.digest("hex"),
  };
}
