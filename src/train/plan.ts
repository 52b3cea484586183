import type { Classifier } from "../models/index.ts";
import { adam, adamw, type Optimizer, type Schedule, schedules, sgd } from "../optim/index.ts";
import type { TrainConfig } from "../run/config.ts";
import { type Transfer, transferGroups } from "../transfer/index.ts";

/** Which part of the network trains when. */
export function transferOf({ strategy, unfreeze, unfreezeEvery }: TrainConfig): Transfer {
  switch (strategy) {
    case "partial":
      return { kind: strategy, unfreeze: unfreeze! };
    case "gradual":
      return { kind: strategy, every: unfreezeEvery! };
    default:
      return { kind: strategy };
  }
}

/** The optimizer that a config asks for, over the parameters that are ever trained. */
export function makeOptimizer(config: TrainConfig, model: Classifier): Optimizer {
  const groups = transferGroups(model, transferOf(config), config);
  const { lr, weightDecay, momentum = 0, nesterov = false, betas = [0.9, 0.999] } = config;
  switch (config.opt) {
    case "sgd":
      return sgd(groups, { lr, weightDecay, momentum, nesterov });
    case "adam":
      return adam(groups, { lr, weightDecay, betas });
    case "adamw":
      return adamw(groups, { lr, weightDecay, betas });
  }
}

/** The schedule that a config asks for; its time counts steps. */
export function makeSchedule(config: TrainConfig, stepsPerEpoch: number): Schedule {
  const { lr, minLr = 0, decayRate = 0.1, decayEpochs = 30 } = config;
  const total = config.epochs * stepsPerEpoch;
  const warmup = (config.warmupEpochs ?? 0) * stepsPerEpoch;
  const minFactor = minLr / lr;
  switch (config.sched) {
    case "constant":
      return schedules.constant({ warmup });
    case "step":
      return schedules.step({ warmup, every: decayEpochs * stepsPerEpoch, factor: decayRate });
    case "linear":
      return schedules.linear({ total, warmup, minFactor });
    case "cosine":
      return schedules.cosine({ total, warmup, minFactor });
    case "onecycle":
      // Up and down takes two steps at least; of a run of one step the first is taken.
      return schedules.onecycle({ total: Math.max(total, 2) });
    case "plateau":
      return schedules.plateau({
        mode: config.plateauMetric === "accuracy" ? "max" : "min",
        factor: decayRate,
        patience: config.patienceEpochs ?? 5,
        minFactor,
      });
  }
}
