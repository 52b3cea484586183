import { leavesOne } from "../../data/epoch-batches.ts";
import type { DatasetSplits } from "../../data/imageset.ts";
import type { Batch } from "../../data/loader.ts";
import { BatchNorm2d } from "../../nn/index.ts";
import type { TrainConfig } from "../../run/config.ts";
import { freezeStages, trainedStages } from "../../transfer/index.ts";
import { LONE_HINT, normsOfOneValue } from "../lone-images.ts";
import { transferOf } from "../plan.ts";
import { type Rehearsal, type RehearsalOptions, rehearse } from "../rehearsal.ts";
import type { Session } from "../session.ts";
import { checkLabels } from "./batch.ts";
import { examineModel, type SanitySubject } from "./examine.ts";
import { failed, listed, passed, type SanityCheck, type SanityReport, skipped } from "./report.ts";

/** Images of the batch that is learnt by heart. */
const IMAGES = 32;
/** Rates below these learn a batch too slowly to tell: fine-tuning's, above all. */
const SLOWEST = { adam: 1e-3, adamw: 1e-3, sgd: 1e-2 } as const;

export interface SanityOptions
  extends RehearsalOptions,
    Pick<SanitySubject, "maxSteps" | "onStep"> {}

/**
 * Looks for what makes training fail or lie, before it is begun: labels, inputs, initial loss, gradients, what is frozen,
 * and whether one batch can be learnt by heart. Everything is as `train` would make it at its last epoch, but for
 * augmentation, dropout and stochastic depth, which are off. Writes nothing.
 * @throws UsageError for what cannot be trained at all.
 */
export async function checkSanity(
  config: TrainConfig,
  splits: DatasetSplits,
  options: SanityOptions = {},
): Promise<SanityReport> {
  const { train, val, test } = splits;
  const labels = checkLabels({ training: train, validation: val, test });
  if (labels.status === "failed") {
    const rest = [
      "batch norms",
      "inputs",
      "initial loss",
      "gradients",
      "frozen",
      "overfit",
    ] as const;
    return reportOf([
      labels,
      ...rest.map((check) => skipped(check, "there is nothing to train on with such labels")),
    ]);
  }
  const { count } = train;
  const batchSize = Math.min(leavesOne({ count, batchSize: IMAGES }) ? IMAGES + 1 : IMAGES, count);
  // The labels alone are learnt by heart, and a recipe trains the teacher only later.
  const asked = { ...config, batchSize, teacher: undefined };
  await using rehearsal = await rehearse(asked, splits, options, "plain");
  const norms = checkBatchNorms(rehearsal, config, train.count);
  return reportOf([labels, norms, ...(await examineBatch(rehearsal, options))]);
}

/** By the batches that training will have, not by the one that is learnt here. */
function checkBatchNorms(
  { input, compute, session }: Rehearsal,
  config: TrainConfig,
  count: number,
): SanityCheck {
  const { batchSize } = config;
  const { model } = session;
  if (!model.namedModules().some(([, module]) => module instanceof BatchNorm2d)) {
    return skipped("batch norms", "the model has none");
  }
  if (!leavesOne({ count, batchSize })) {
    return passed("batch norms", "every batch has more than one image");
  }
  const norms = normsOfOneValue(model, transferOf(config), input, compute);
  if (norms.length === 0) {
    return passed("batch norms", "a batch of one image gives them more than one value per channel");
  }
  if (batchSize > 1) {
    return passed("batch norms", "the last image of an epoch is added to the batch before it");
  }
  const what = `batches of one image give ${listed(norms)} one value per channel, which has no variance`;
  return failed("batch norms", what, norms, LONE_HINT);
}

async function examineBatch(
  { config, input, compute, session, load }: Rehearsal,
  { maxSteps, onStep, signal }: SanityOptions,
): Promise<SanityCheck[]> {
  const { model, optimizer } = session;
  const transfer = transferOf(config);
  freezeStages(model, transfer, config.epochs);
  const stages = model.stages.map(({ name }) => name);
  const isKept = load?.reinitialized.length === 0;
  const batch = await firstBatch(session);
  using _images = batch.images;
  using _labels = batch.labels;
  return await examineModel({
    ...{ model, optimizer, batch, compute, input, scaler: session.scaler },
    trainedStages: trainedStages(transfer, stages, config.epochs),
    lr: Math.max(config.lr, SLOWEST[config.opt]),
    ...(isKept && {
      headIsTrained: "the head comes from the weights, and knows something already",
    }),
    signal,
    ...(maxSteps !== undefined && { maxSteps }),
    ...(onStep && { onStep }),
  });
}

async function firstBatch({ train }: Session): Promise<Batch> {
  for await (const batch of train.epoch(1)) return batch;
  throw new Error("a training split without images was let through");
}

function reportOf(checks: readonly SanityCheck[]): SanityReport {
  return { ok: checks.every(({ status }) => status !== "failed"), checks };
}
