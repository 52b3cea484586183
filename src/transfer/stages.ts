import { UsageError } from "../errors.ts";
import { type Classifier, stageParameters } from "../models/index.ts";
import { type GroupOptions, parameterGroups } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Which part of a network trains. The head, its last stage, always does. */
export type Transfer =
  | { readonly kind: "scratch" | "full" | "freeze" }
  /** The last so many stages before the head. */
  | { readonly kind: "partial"; readonly unfreeze: number }
  /** The head alone at first, and one stage more, from the last to the first, every so many epochs. */
  | { readonly kind: "gradual"; readonly every: number };

/** Names of the stages that train in an epoch (from 1), in the model's order. */
export function trainedStages(
  transfer: Transfer,
  stages: readonly string[],
  epoch: number,
): readonly string[] {
  const behind = stages.length - 1;
  switch (transfer.kind) {
    case "scratch":
    case "full":
      return stages;
    case "freeze":
      return stages.slice(-1);
    case "partial":
      return stages.slice(-1 - transfer.unfreeze);
    case "gradual":
      return stages.slice(-1 - Math.min(behind, Math.floor((epoch - 1) / transfer.every)));
  }
}

/**
 * Freezes all stages but those that train in an epoch (from 1): no gradients, and evaluation mode, so
 * that batch norms keep their statistics.
 * @throws UsageError where more stages are to train than there are.
 */
export function freezeStages(model: Classifier, transfer: Transfer, epoch: number): void {
  const { stages } = model;
  if (transfer.kind === "partial" && transfer.unfreeze > stages.length - 1) {
    const names = stages.map(({ name }) => name).join(", ");
    throw new UsageError(
      `--unfreeze ${transfer.unfreeze}: the model has ${stages.length - 1} stages before its head`,
      { hint: `its stages: ${names}` },
    );
  }
  const names = stages.map(({ name }) => name);
  const trained = new Set(trainedStages(transfer, names, epoch));
  for (const stage of stages) {
    const trains = trained.has(stage.name);
    for (const parameter of stageParameters(stage)) parameter.requiresGrad = trains;
    for (const module of stage.modules) {
      for (const [, inner] of module.namedModules()) inner.frozen = !trains;
    }
  }
  // What is frozen leaves training mode, and what has thawed enters it, where the model is in it.
  model.train(model.training);
}

export interface RateOptions {
  readonly lr: number;
  /** Of the head; default `lr`. */
  readonly headLr?: number | undefined;
  /**
   * Factor of the learning rate from each stage to the one before it, from 1 at the head. (Clark et al.
   * 2020, ELECTRA, appendix; timm's `layer_decay`)
   */
  readonly layerDecay?: number | undefined;
}

/**
 * The optimizer's groups: of all parameters that train in some epoch, those of one stage at one rate,
 * without weight decay on norms and biases (He et al. 2019, Bag of tricks, §3.1).
 */
export function transferGroups(
  model: Classifier,
  transfer: Transfer,
  options: RateOptions,
): GroupOptions[] {
  const { lr, headLr = lr, layerDecay = 1 } = options;
  const { stages } = model;
  const last = stages.length - 1;
  const names = stages.map(({ name }) => name);
  const ever = new Set(trainedStages(transfer, names, Number.POSITIVE_INFINITY));
  const scales = new Map<Tensor, number>();
  stages.forEach((stage, i) => {
    if (!ever.has(stage.name)) return;
    const scale = i === last ? headLr / lr : layerDecay ** (last - i);
    for (const parameter of stageParameters(stage)) scales.set(parameter, scale);
  });
  const named = model.namedParameters().filter(([, parameter]) => scales.has(parameter));
  const byName = new Map(named.map(([name, parameter]) => [name, scales.get(parameter)!]));
  return parameterGroups(named, {
    spareNormsAndBiases: true,
    lrScale: (name) => byName.get(name)!,
  });
}
