import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { DatasetSplits } from "../data/imageset.ts";
import { pretrainedReference } from "../models/weights/hub/index.ts";
import { loadWeights } from "../models/weights/index.ts";
import type { TrainConfig } from "../run/config.ts";
import { openWeights, type Weights, type WeightsPlaces } from "../run/weights.ts";
import type { TrainEvents } from "./events.ts";
import type { Session } from "./session.ts";

/**
 * Opens the weights that a config starts from; undefined where it starts from random ones.
 * @throws UsageError where they are not there, or nobody published any of the model.
 */
export async function openStartWeights(
  { weights, pretrained, model, out }: TrainConfig,
  places: WeightsPlaces = {},
): Promise<Weights | undefined> {
  const reference = pretrained === true ? pretrainedReference(model) : weights;
  return reference === undefined ? undefined : openWeights(reference, { out, ...places });
}

/** Fills a new session's model; its head stays as it was built where the classes are others. */
export function startFrom(
  weights: Weights,
  config: TrainConfig,
  data: DatasetSplits,
  session: Session,
  events: TrainEvents,
): void {
  const { reference, classes } = weights;
  const report = loadWeights(session.model, weights.tensors, {
    from: reference,
    model: config.model,
    file: weights,
    newHead: true,
    ...(classes !== undefined && { classes: { file: classes, model: data.train.classes } }),
  });
  events.onWeights?.(report, reference);
}

/** What the environment records of the weights: a file of the same name may be another tomorrow. */
export async function describeWeights(weights: Weights) {
  const { reference, source, revision, path, format, layout } = weights;
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return {
    reference,
    source,
    ...(revision !== undefined && { revision }),
    path,
    format,
    ...(layout !== undefined && { layout }),
    sha256: hash.digest("hex"),
  };
}
