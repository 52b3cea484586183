import { type Batch, discardBatch } from "../data/loader.ts";
import { ThawError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import { type Compute, forward, onDevice } from "../models/predict.ts";
import { firstUnusable } from "../models/weights/unusable.ts";
import { observeForward } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { noGrad, ops, scope, type Tensor, unscoped } from "../tensor/index.ts";
import { trainStepInMemory } from "./out-of-memory.ts";
import { DivergedError, type StepOptions, type StepResult } from "./step.ts";

/** The very first step gives no number. */
export class CannotBeginError extends ThawError {}

/**
 * {@link trainStepInMemory}, for a step before which none was made: where it gives no number the learning rate has no part
 * in it, and the error says what has.
 * @throws CannotBeginError, which is no DivergedError, that names the cause.
 */
export function trainFirstStep(
  model: Classifier,
  optimizer: Optimizer,
  batch: Batch,
  options: StepOptions,
  gradAccumSteps: number,
): StepResult {
  // The step uses up its batch.
  using images = unscoped(() => ops.detach(batch.images));
  const pixels = firstUnusable([["images", images]]);
  if (pixels !== undefined) {
    discardBatch(batch);
    throw cannotBegin({
      what: `the normalised images of the first batch have ${pixels.what}`,
      hint: "check --mean and --std: a standard deviation is 0 or close to 0; thaw data info prints those of the images",
    });
  }
  let result: StepResult;
  try {
    result = trainStepInMemory(model, optimizer, batch, options, gradAccumSteps);
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error;
    throw cannotBegin(causeOf(model, images, options, error), error);
  }
  // Batch norms keep no number of such maps, though the loss was one; they are no part of what is stepped.
  const buffer = firstUnusable(model.namedBuffers(), Number.MAX_VALUE);
  if (buffer === undefined) return result;
  throw cannotBegin({
    what: `${buffer.name} has ${buffer.what} after one batch: its input is too large for float32`,
    hint: "the weights do not fit this network, or the images are not normalised as it expects (--mean, --std)",
  });
}

function cannotBegin({ what, hint }: Cause, cause?: DivergedError): CannotBeginError {
  return new CannotBeginError(
    `training cannot begin: ${what} (found in the first step, so the learning rate is not the cause)`,
    { hint, cause },
  );
}

interface Cause {
  readonly what: string;
  readonly hint: string;
}

function causeOf(model: Classifier, images: Tensor, compute: Compute, error: Error): Cause {
  const weight = firstUnusable(model.stateDict());
  if (weight !== undefined) {
    return {
      what: `${weight.name} has ${weight.what}`,
      hint: "start from other weights: this file is damaged, or comes from a run that diverged",
    };
  }
  const layer = firstOverflow(model, images, compute);
  if (layer !== undefined) {
    const precision = compute.autocast === "float16" ? "fp16" : "bf16";
    const isPrecision =
      compute.autocast !== null &&
      firstOverflow(model, images, { ...compute, autocast: null }) === undefined;
    return isPrecision
      ? {
          what: `the output of ${layer} overflows in ${precision} but not in fp32`,
          hint: `give --precision ${precision === "fp16" ? "bf16 or fp32" : "fp32"}`,
        }
      : {
          what: `${layer} gives non-finite outputs for finite inputs`,
          hint: "its weights or running statistics do not fit this network, or are far too large: start from other weights",
        };
  }
  const gradient = model.namedParameters().find(([, parameter]) => {
    using grad = parameter.grad;
    return grad !== null && firstUnusable([["", grad]], Number.MAX_VALUE) !== undefined;
  });
  const where = gradient === undefined ? "" : `; the gradient of ${gradient[0]} is not finite`;
  return {
    what: `${error.message}, though the network's outputs are finite${where}`,
    hint: "check --class-weights, the labels and, with a teacher, --distill-temperature; --precision fp32 rules out an overflow",
  };
}

/** The first layer whose output is not finite, in one forward pass; undefined where all are. */
function firstOverflow(model: Classifier, images: Tensor, compute: Compute): string | undefined {
  const names = new Map(model.namedModules().map(([name, module]) => [module, name]));
  const isWrong = (tensor: Tensor) => firstUnusable([["", tensor]], Number.MAX_VALUE) !== undefined;
  let found: string | undefined;
  noGrad(() =>
    scope(() => {
      const pass = () => void forward(model, onDevice(images, compute.device), compute);
      observeForward(model, pass, (module, input, output) => {
        if (found !== undefined || module.children().length > 0 || !isWrong(output)) return;
        // What stands between two layers, or in a frozen copy, has no name.
        found = isWrong(input) ? `the operation before ${names.get(module)}` : names.get(module);
      });
    }),
  );
  return found;
}
