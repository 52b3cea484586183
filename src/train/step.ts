import type { Batch } from "../data/loader.ts";
import { ThawError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import { type Compute, forward, onDevice } from "../models/predict.ts";
import {
  clipGradNorm,
  type GradScaler,
  type Optimizer,
  setLearningRate,
  unscaleGradients,
} from "../optim/index.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";
import type { Accumulation } from "./accumulation.ts";
import type { StepWatch } from "./events.ts";

/** What answers are held against. */
export interface Targets {
  /** Class indices [N]. */
  readonly labels: Tensor;
  /** The batch as the model saw it, for a loss that asks somebody else about it. */
  readonly images: Tensor;
  /** Where images are mixed with those of the batch in reverse order: the share of their own labels. */
  readonly lambda?: number | undefined;
}

/** Mean loss of logits [N, C]. */
export type Loss = (logits: Tensor, targets: Targets) => Tensor;

export interface StepOptions extends Compute {
  readonly lr: number;
  readonly loss: Loss;
  readonly clipGrad: number | undefined;
  /** Absent: every batch is an update. */
  readonly accumulation?: Accumulation | undefined;
  /** Of fp16, whose small gradients would underflow. */
  readonly scaler?: GradScaler | undefined;
  /** Called after the update, while the gradients are still there. */
  readonly inspect?: (() => void) | undefined;
  readonly watch?: Pick<StepWatch, "phase"> | undefined;
}

/** Of an epoch's updates, how many make one whose gradient's norm is looked at, a pass over all, where nothing clips it. */
export const NORM_EVERY = 10;

export interface StepResult {
  /** Mean loss of the batch, before the step. */
  readonly loss: number;
  /** Images of the batch that were classified right, before the step; mixed ones by their larger label. */
  readonly correct: number;
  /** Did it end an update? */
  readonly updates: boolean;
  /** L2 norm of all gradients before clipping, where clipping asked for it. */
  readonly gradNorm?: number;
}

/** The loss or its gradient stopped being a number. */
export class DivergedError extends ThawError {}

/** The error of a run that has finished so many epochs. */
export function divergedAt(
  what: string,
  { step, lr, finished }: { step: number; lr: number; finished: number },
  cause?: Error,
): DivergedError {
  const kept = finished > 0 ? "the last good checkpoint is kept; " : "";
  return new DivergedError(
    `training diverged: ${what} at step ${step} (epoch ${finished + 1}), learning rate ${lr.toPrecision(3)}`,
    {
      hint: `${kept}try a lower --lr, a warm-up (--warmup-epochs 1) or --clip-grad 1`,
      cause,
    },
  );
}

/** A scale below it lets no gradient of fp16 overflow that a step could be taken with. */
const SMALLEST_SCALE = 2 ** -14;

/**
 * One step: forward, loss, backward and, where the batch ends one, the update. Frees the batch and
 * everything made on the way.
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
  const { watch } = options;
  return scope((): StepResult => {
    watch?.phase("forward");
    const labels = onDevice(batch.labels, options.device);
    const images = onDevice(batch.images, options.device);
    const logits = forward(model, images, options);
    const lambda = batch.mix?.lambda;
    const loss = options.loss(logits, { labels, images, lambda });
    const value = loss.item();
    if (!Number.isFinite(value)) throw new DivergedError(`the loss is ${value}`);
    const { batches: share, isLast: updates } = options.accumulation ?? ALONE;
    const factor = (options.scaler?.scale ?? 1) / share;
    watch?.phase("backward");
    (factor === 1 ? loss : ops.mulScalar(loss, factor)).backward();
    const main = lambda !== undefined && lambda < 0.5 ? ops.flip(labels, [0]) : labels;
    const correct = ops.sum(ops.eq(ops.argmax(logits, { dim: 1 }), main)).item();
    if (updates) watch?.phase("optimizer");
    const norm = updates ? update(optimizer, options) : undefined;
    watch?.phase("other");
    return { loss: value, correct, updates, ...(norm !== undefined && { gradNorm: norm }) };
  });
}

const ALONE: Accumulation = { batches: 1, isLast: true };

/** The optimizer's step by the gradients that are there, which it lets go. Returns their norm if it was asked. */
function update(
  optimizer: Optimizer,
  { lr, clipGrad, scaler, inspect }: StepOptions,
): number | undefined {
  const parameters = optimizer.groups.flatMap((group) => group.parameters);
  const overflowed = scaler !== undefined && unscaleGradients(parameters, scaler.scale);
  scaler?.update(overflowed);
  if (overflowed && scaler.scale < SMALLEST_SCALE) {
    throw new DivergedError(`the gradient overflows at a loss scale of ${scaler.scale}`);
  }
  const norm = overflowed ? undefined : clip(parameters, clipGrad);
  setLearningRate(optimizer, lr);
  if (!overflowed) optimizer.step();
  inspect?.();
  optimizer.zeroGrad();
  return norm;
}

function clip(parameters: readonly Tensor[], maxNorm: number | undefined): number | undefined {
  if (maxNorm === undefined) return undefined;
  const norm = clipGradNorm(parameters, maxNorm);
  if (!Number.isFinite(norm)) throw new DivergedError(`the norm of the gradient is ${norm}`);
  return norm;
}
