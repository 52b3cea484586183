import { leavesOne } from "../data/epoch-batches.ts";
import { UsageError } from "../errors.ts";
import type { ComputeChoice } from "../models/compute.ts";
import type { Classifier } from "../models/index.ts";
import { underPrecision } from "../models/predict.ts";
import { BatchNorm2d, observeForward } from "../nn/index.ts";
import type { TrainConfig } from "../run/config.ts";
import type { NetworkInput } from "../run/input.ts";
import { inference, ops, scope } from "../tensor/index.ts";
import { type Transfer, trainedStages } from "../transfer/index.ts";

/**
 * Names of the batch norms that train in some epoch and see one value a channel of a single image, of which there is no
 * variance: those behind a map of 1×1. One forward pass in evaluation mode, if there are any batch norms to look at.
 */
export function normsOfOneValue(
  model: Classifier,
  transfer: Transfer,
  { channels, height, width }: NetworkInput,
  compute: ComputeChoice,
): string[] {
  const stages = model.stages.map(({ name }) => name);
  const trained = new Set(trainedStages(transfer, stages, Number.POSITIVE_INFINITY));
  const norms = new Set(
    model.stages
      .filter(({ name }) => trained.has(name))
      .flatMap(({ modules }) => modules.flatMap((module) => module.namedModules()))
      .flatMap(([, module]) => (module instanceof BatchNorm2d ? [module] : [])),
  );
  if (norms.size === 0) return [];
  const { training } = model;
  const found = new Set<unknown>();
  model.eval();
  try {
    inference(() =>
      scope(() => {
        const image = ops.zeros([1, channels, height, width], { device: compute.device });
        const pass = () => void underPrecision(compute, () => model.forward(image));
        observeForward(model, pass, (module, { elements, shape }) => {
          if (norms.has(module as BatchNorm2d) && elements === shape[1]) found.add(module);
        });
      }),
    );
  } finally {
    model.train(training);
  }
  return model.namedModules().flatMap(([name, module]) => (found.has(module) ? [name] : []));
}

/**
 * Does the last image of an epoch join the batch before it? Where it would be a batch of its own that a batch norm cannot
 * take a variance of, which is noted.
 * @throws UsageError where every batch would be of one image.
 */
export function joinsLoneImage(
  config: Pick<TrainConfig, "batchSize" | "model">,
  count: number,
  { height, width }: NetworkInput,
  norms: () => readonly string[],
  onNote?: (text: string) => void,
): boolean {
  const { batchSize, model } = config;
  if (!leavesOne({ count, batchSize })) return false;
  const [norm] = norms();
  if (norm === undefined) return false;
  if (batchSize === 1 || count === 1) {
    const what = batchSize === 1 ? "--batch-size 1" : "one training image";
    throw new UsageError(
      `${what}: in training, the batch norm ${norm} of ${model} needs more than one value per channel, but one image of ${height}×${width} gives only one`,
      { hint: LONE_HINT },
    );
  }
  onNote?.(
    `${count} training images in batches of ${batchSize} leave a last batch of one image, for which the batch norm ${norm} has no variance: ` +
      "this image is added to the batch before it",
  );
  return true;
}

export const LONE_HINT =
  "use --batch-size 2 or more (--grad-accum-steps does not help: each batch has its own statistics), more images, a larger --img-size, " +
  "frozen batch norms (--strategy freeze), or a model without them, such as vit_tiny_patch16_224 or convnext_tiny";
