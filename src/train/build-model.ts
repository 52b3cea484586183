import { UsageError } from "../errors.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { type Classifier, createModel, type ModelRandom, parseModelName } from "../models/index.ts";
import { Dropout, DropPath, withoutInit } from "../nn/index.ts";
import type { TrainConfig } from "../run/config.ts";
import type { NetworkInput } from "../run/input.ts";
import { Generator } from "../tensor/index.ts";

/**
 * The network that a config asks for, for so many classes of images such as `input`.
 * @throws UsageError for a dropout or drop path that it has no place for.
 */
export function buildModel(
  config: TrainConfig,
  classes: number,
  { channels, height, width }: NetworkInput,
  compute: ComputeChoice,
  random: ModelRandom,
): Classifier {
  const { dropout, dropPath } = config;
  const model = createModel(parseModelName(config.model), {
    classes,
    inChannels: channels,
    imageSize: [height, width],
    ...(dropout !== undefined && { dropout }),
    ...(dropPath !== undefined && { dropPath }),
    random,
  });
  try {
    refuseUnused(model, config);
    return model.to(compute);
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
}

/** A second one with the values of the first. */
export function copyModel(
  model: Classifier,
  config: TrainConfig,
  input: NetworkInput,
  compute: ComputeChoice,
): Classifier {
  using random = new Generator(0);
  const streams = { init: random, dropout: random };
  const classes = model.head.weight.size(0);
  const copy = withoutInit(() => buildModel(config, classes, input, compute, streams));
  copy.loadStateDict(model.stateDict());
  return copy;
}

function refuseUnused(model: Classifier, { model: name, dropout, dropPath }: TrainConfig): void {
  const modules = model.namedModules().map(([, module]) => module);
  if (dropout && !modules.some((module) => module instanceof Dropout)) {
    throw new UsageError(`--dropout ${dropout}: ${name} has no dropout`, {
      hint: "leave --dropout out",
    });
  }
  if (dropPath && !modules.some((module) => module instanceof DropPath)) {
    throw new UsageError(
      `--drop-path ${dropPath}: ${name} has no branches that could be left out`,
      {
        hint: "stochastic depth is for residual networks and transformers; --dropout may do instead",
      },
    );
  }
}
