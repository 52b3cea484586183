import type { Batch } from "../../data/loader.ts";
import type { Normalization } from "../../data/transforms/normalize.ts";
import type { Classifier } from "../../models/index.ts";
import type { Compute } from "../../models/predict.ts";
import { crossEntropy, Dropout, DropPath } from "../../nn/index.ts";
import type { GradScaler, Optimizer } from "../../optim/index.ts";
import { Turns } from "../../platform/stop.ts";
import { ops } from "../../tensor/index.ts";
import { CannotBeginError, trainFirstStep } from "../first-step.ts";
import { trainStepInMemory } from "../out-of-memory.ts";
import { DivergedError, type Loss } from "../step.ts";
import { checkInputs, contradictions, number } from "./batch.ts";
import { checkInitialLoss } from "./initial-loss.ts";
import { failed, listed, passed, type SanityCheck, skipped } from "./report.ts";
import { whereDetached } from "./trace.ts";
import { divide, GradientWatch, Snapshot } from "./watch.ts";

/** A model about to be trained, and one batch of what it will be trained on. */
export interface SanitySubject {
  readonly model: Classifier;
  /** Its parameters and rate scales are used; it is stepped. */
  readonly optimizer: Optimizer;
  /** Normalised images and labels; not used up. */
  readonly batch: Batch;
  readonly compute: Compute;
  /** What the images are said to be normalised with. */
  readonly input: Normalization;
  /** Names of the stages that train; all others must keep still. */
  readonly trainedStages: readonly string[];
  /** Learning rate of the steps, after a warm-up of {@link WARMUP}. */
  readonly lr: number;
  /** Of fp16. */
  readonly scaler?: GradScaler | undefined;
  /** Why the initial loss says nothing: the head has been trained already. */
  readonly headIsTrained?: string;
  /** Steps at most until the batch is known by heart; default 200. */
  readonly maxSteps?: number;
  /** Aborted: ends with a StoppedError before the next step. */
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: (step: { step: number; loss: number; correct: number; of: number }) => void;
}

/** Steps in which every trained parameter must get a gradient: the first layers may wait for the last to leave zero. */
const WATCHED = 10;
const WARMUP = 10;

/**
 * Looks at the inputs, the initial loss, the gradients and what keeps still, while the model learns one batch by heart.
 * Dropout and stochastic depth are off. The model and its optimizer are used up: throw both away.
 */
export async function examineModel(subject: SanitySubject): Promise<SanityCheck[]> {
  const { model, batch, compute } = subject;
  const inputs = checkInputs(batch, subject.input);
  model.train();
  for (const [, module] of model.namedModules()) {
    if (!(module instanceof Dropout || module instanceof DropPath)) continue;
    module.frozen = true;
    module.training = false;
  }
  const { trained, frozen } = divide(model, subject.trainedStages);
  using still = new Snapshot(frozen);
  const initial =
    subject.headIsTrained === undefined
      ? checkInitialLoss(model, batch, compute)
      : skipped("initial loss", subject.headIsTrained);
  const watch = new GradientWatch(subject.optimizer, trained);
  const overfit = await learnByHeart(subject, watch);
  return [inputs, initial, checkGradients(subject, trained, watch), checkFrozen(still), overfit];
}

/** Of the labels alone, whatever else the run's loss takes in. */
const byLabels: Loss = (logits, { labels }) => crossEntropy(logits, labels);

async function learnByHeart(subject: SanitySubject, watch: GradientWatch): Promise<SanityCheck> {
  const { model, batch, compute, lr, scaler, maxSteps = 200 } = subject;
  let [first, loss, correct, learnt] = [Number.NaN, Number.NaN, 0, 0];
  const turns = new Turns(subject.signal);
  for (let step = 1; step <= maxSteps; step++) {
    const rate = lr * Math.min(1, step / WARMUP);
    const options = { ...compute, lr: rate, loss: byLabels, clipGrad: undefined, scaler };
    // The step uses up its batch.
    const images = ops.detach(batch.images);
    const labels = ops.detach(batch.labels);
    try {
      const given = { ...batch, images, labels };
      const make = step === 1 ? trainFirstStep : trainStepInMemory;
      ({ loss, correct } = make(model, watch, given, options, 1));
    } catch (error) {
      if (error instanceof CannotBeginError) {
        return failed("overfit", error.message, [], error.hint ?? "");
      }
      if (!(error instanceof DivergedError)) throw error;
      return failed(
        "overfit",
        `${error.message} at step ${step}, learning rate ${number(rate)}`,
        ["the learning rate"],
        "try a lower --lr; thaw lr-find says which",
      );
    }
    if (step === 1) first = loss;
    subject.onStep?.({ step, loss, correct, of: batch.size });
    if (correct === batch.size && learnt === 0) learnt = step;
    if (learnt > 0 && step >= WATCHED) break;
    await turns.next();
  }
  const course = `loss ${number(first)} → ${number(loss)}`;
  if (learnt > 0) {
    return passed("overfit", `all ${batch.size} images right after ${learnt} steps, ${course}`);
  }
  const pairs = contradictions(batch);
  const why =
    pairs.length > 0
      ? `; equal images with other labels: ${listed(pairs)}`
      : "; a network that learns gets one batch right";
  return failed(
    "overfit",
    `${correct} of ${batch.size} images right after ${maxSteps} steps at ${number(lr)}, ${course}${why}`,
    pairs.map((pair) => `training images ${pair}`),
    pairs.length > 0
      ? "the labels contradict each other: thaw data info"
      : "mend the failed checks above first; else try another --lr, or a model that fits the images' size",
  );
}

function checkGradients(
  { model, batch, compute, optimizer }: SanitySubject,
  trained: readonly (readonly [string, { readonly handle: number }])[],
  { silent }: GradientWatch,
): SanityCheck {
  const stepped = new Set(
    optimizer.groups.flatMap(({ parameters }) => parameters.map(({ handle }) => handle)),
  );
  const forgotten = trained.filter(([, { handle }]) => !stepped.has(handle)).map(([name]) => name);
  const of = (fate: string) => [...silent].filter(([, is]) => is === fate).map(([name]) => name);
  const [none, zero, wild] = [of("none"), of("zero"), of("not finite")];
  const problems = [
    ...(none.length === 0 ? [] : [`no gradient reaches ${listed(none)}`]),
    ...(zero.length === 0 ? [] : [`the gradient is 0 everywhere in ${listed(zero)}`]),
    ...(wild.length === 0 ? [] : [`the gradient is no number in ${listed(wild)}`]),
    ...(forgotten.length === 0 ? [] : [`the optimizer does not have ${listed(forgotten)}`]),
  ];
  if (problems.length === 0) {
    return passed("gradients", `every one of ${trained.length} trained parameters gets one`);
  }
  const cut = whereDetached(model, batch, compute);
  const where = cut === undefined ? "" : `; the path is cut ${cut.text}`;
  const culprits = new Set([...(cut === undefined ? [] : [cut.module]), ...silent.keys()]);
  return failed(
    "gradients",
    `${problems.join("; ")}${where}`,
    [...culprits, ...forgotten.filter((name) => !silent.has(name))],
    cut === undefined
      ? "is the layer used in forward, and its output in the loss? Did its activations die?"
      : `look for detach, noGrad or a copy of the numbers ${cut.text}`,
  );
}

function checkFrozen(still: Snapshot): SanityCheck {
  if (still.size === 0) return skipped("frozen", "nothing is frozen: everything trains");
  const changed = still.changed();
  if (changed.length === 0) {
    return passed(
      "frozen",
      `all ${still.size} frozen parameters and buffers are what they were, to the bit`,
    );
  }
  const statistics = changed.filter((name) => /running_(mean|var)|num_batches/.test(name));
  return failed(
    "frozen",
    `${listed(changed)} changed, and should be frozen`,
    changed,
    statistics.length > 0
      ? "a frozen batch norm must be in evaluation mode: freezeStages sets it"
      : "who writes to it? The optimizer must not have it, and forward must not change it in place",
  );
}
