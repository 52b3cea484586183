import type { Batch } from "../data/loader.ts";
import { ThawError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import { type Compute, forward, onDevice } from "../models/predict.ts";
import { crossEntropy, type Module, mixedCrossEntropy } from "../nn/index.ts";
import { clipGradNorm, type Optimizer, setLearningRate } from "../optim/index.ts";
import { inference, ops, scope } from "../tensor/index.ts";

export interface StepOptions extends Compute {
  readonly lr: number;
  readonly labelSmoothing: number;
  readonly clipGrad: number | undefined;
  /** Called after the update, while the gradients are still there. */
  readonly inspect?: (() => void) | undefined;
}

export interface StepResult {
  /** Mean loss of the batch, before the step. */
  readonly loss: number;
  /** Images of the batch that were classified right, before the step; mixed ones by their larger label. */
  readonly correct: number;
  /** L2 norm of all gradients before clipping, where clipping asked for it. */
  readonly gradNorm?: number;
}

/** The loss or its gradient stopped being a number. */
export class DivergedError extends ThawError {}

/**
 * One step: forward, loss, backward, update. Frees the batch and everything made on the way.
 * @throws DivergedError, before the parameters are changed, where loss or gradient are not finite.
 */
export function trainStep(
  model: Classifier,
  optimizer: Optimizer,
  batch: Batch,
  options: StepOptions,
): StepResult {
  using _images = batch.images;
  using _labels = batch.labels;
  return scope((): StepResult => {
    const labels = onDevice(batch.labels, options.device);
    const logits = forward(model, onDevice(batch.images, options.device), options);
    const lambda = batch.mix?.lambda;
    const loss =
      lambda === undefined
        ? crossEntropy(logits, labels, options)
        : mixedCrossEntropy(logits, labels, lambda, options);
    const value = loss.item();
    if (!Number.isFinite(value)) throw new DivergedError(`the loss is ${value}`);
    loss.backward();
    const norm = clip(optimizer, options.clipGrad);
    setLearningRate(optimizer, options.lr);
    optimizer.step();
    options.inspect?.();
    optimizer.zeroGrad();
    const main = lambda !== undefined && lambda < 0.5 ? ops.flip(labels, [0]) : labels;
    const hits = ops.sum(ops.eq(ops.argmax(logits, { dim: 1 }), main)).item();
    return { loss: value, correct: hits, ...(norm !== undefined && { gradNorm: norm }) };
  });
}

/** Name of the first parameter or buffer that holds NaN or infinity. One pass over the weights. */
export function firstNonFinite(model: Module): string | undefined {
  const floats = [...model.stateDict()].filter(([, { dtype }]) => dtype.includes("float"));
  return inference(() =>
    scope(() => {
      // Of an infinite order: a sum of squares may overflow where no value does.
      const tensors = floats.map(([, tensor]) => tensor);
      const largest = ops.foreachNormScalar(tensors, { ord: Number.POSITIVE_INFINITY });
      const values = ops.toDtype(ops.stack(largest), "float32").toArray("float32");
      return floats[values.findIndex((value) => !Number.isFinite(value))]?.[0];
    }),
  );
}

function clip(optimizer: Optimizer, maxNorm: number | undefined): number | undefined {
  if (maxNorm === undefined) return undefined;
  const norm = clipGradNorm(
    optimizer.groups.flatMap((group) => group.parameters),
    maxNorm,
  );
  if (!Number.isFinite(norm)) throw new DivergedError(`the norm of the gradient is ${norm}`);
  return norm;
}
