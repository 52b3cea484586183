import { type ComputeChoice, freeze, type ModelName, multiplyAdds } from "../models/index.ts";
import { OneValueError } from "../nn/index.ts";
import type { ProfiledBatch, ProfiledModel, Shares } from "../run/profile.ts";
import {
  emptyCache,
  isOutOfMemory,
  largestFit,
  memory,
  ops,
  resetPeakMemory,
  unscoped,
} from "../tensor/index.ts";
import { measured, peaks, type Subject } from "./measure.ts";
import { resetPeakProcess } from "./process-memory.ts";
import type { Recording } from "./recording.ts";
import { sharesOf } from "./shares.ts";
import {
  batchesOf,
  buildSubject,
  type Images,
  Stepper,
  subjectInput,
  type TrainStep,
} from "./subject.ts";
import { StepWindow, type WindowPlan } from "./window.ts";

export interface ModelPlan {
  readonly images: Images;
  readonly batchSizes: readonly number[];
  readonly window: WindowPlan;
  readonly compute: ComputeChoice;
  /** Undefined: forward passes in evaluation mode. */
  readonly trainStep: TrainStep | undefined;
  readonly gemm: Subject["gemm"];
}

export interface ModelEvents {
  /** What is known so far; called after every batch size. */
  readonly onProgress?: (model: ProfiledModel) => void;
  readonly onStep?: (progress: {
    readonly model: string;
    readonly batchSize: number;
    readonly done: number;
    readonly total: number;
  }) => void;
  readonly onNote?: (text: string) => void;
  /** Aborted: measuring ends after the step, and what there is then is kept. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Profiles one network at every batch size. The steps of the largest that fits are recorded.
 * @throws UsageError where it does not take images of this size.
 */
export async function profileModel(
  name: ModelName,
  plan: ModelPlan,
  events: ModelEvents = {},
): Promise<{ readonly model: ProfiledModel; readonly recording: Recording | undefined }> {
  const { images, compute, trainStep, gemm } = plan;
  const what = subjectInput(name, images);
  const { channels, height, width } = what.input;
  const { model, random } = buildSubject(name, what, compute);
  using _random = random;
  using _model = model;
  const facts = {
    model: name,
    input: [channels, height, width] as [number, number, number],
    classes: what.classes,
    parameters: model.parameters().reduce((sum, { elements }) => sum + elements, 0),
    multiplyAdds: multiplyAdds(model, [channels, height, width]),
  };
  // As `thaw evaluate` computes it.
  if (trainStep === undefined) freeze(model, [channels, height, width], compute);
  const subject: Subject = {
    ...{ mode: trainStep === undefined ? "infer" : "train", gemm },
    ...{ multiplyAdds: facts.multiplyAdds, warmup: plan.window.warmup },
  };
  using stepper = new Stepper(model, compute, trainStep);
  const batches: ProfiledBatch[] = [];
  let shares: Shares | null = null;
  let recording: Recording | undefined;
  const soFar = (): ProfiledModel => ({ ...facts, batches: [...batches], shares });
  for (const batchSize of [...plan.batchSizes].sort((a, b) => a - b)) {
    if (events.signal?.aborted) break;
    try {
      const { steps, recorded, memory } = await runWindow({
        ...{ name, what, model, stepper, batchSize },
        plan,
        events,
      });
      const batch = measured(steps, memory, subject);
      if (batch !== undefined) batches.push(batch);
      if (recorded !== undefined) {
        recording = recorded;
        shares = sharesOf(recorded, model) ?? shares;
      }
    } catch (error) {
      if (error instanceof OneValueError) {
        events.onNote?.(`warning: ${name}: batches of ${batchSize} are left out: ${error.message}`);
        continue;
      }
      if (!isOutOfMemory(error)) throw error;
      batches.push(tooLarge(batchSize, error, stepper, what.input));
      const { message } = batches.at(-1) as { message: string };
      events.onNote?.(`warning: ${name}: ${message}`);
    }
    events.onProgress?.(soFar());
  }
  return { model: soFar(), recording };
}

/** Steps of one batch size: warmed up, timed, recorded. */
async function runWindow({
  name,
  what: { input, classes },
  model,
  stepper,
  batchSize,
  plan,
  events,
}: {
  readonly name: ModelName;
  readonly what: ReturnType<typeof subjectInput>;
  readonly model: ReturnType<typeof buildSubject>["model"];
  readonly stepper: Stepper;
  readonly batchSize: number;
  readonly plan: ModelPlan;
  readonly events: ModelEvents;
}) {
  const { images, compute } = plan;
  emptyCache();
  resetPeakMemory();
  resetPeakProcess();
  await using source = batchesOf(images, input, classes, compute, batchSize);
  // Of the timed steps: what records them takes memory of its own.
  let taken: ReturnType<typeof peaks> | undefined;
  using window = new StepWindow(model, plan.window, () => {
    taken = peaks();
  });
  window.phase("data");
  steps: for (let epoch = 1; ; epoch++) {
    for await (const batch of source.epoch(epoch)) {
      window.batch(batch.size);
      stepper.step(batch, window);
      window.phase("data");
      events.onStep?.({ model: name, batchSize, ...window.progress });
      if (window.isDone || events.signal?.aborted) break steps;
    }
  }
  window.close();
  return { steps: window.timed, recorded: window.recording, memory: taken ?? peaks() };
}

function tooLarge(
  batchSize: number,
  error: Error,
  stepper: Stepper,
  { channels, height, width }: ReturnType<typeof subjectInput>["input"],
): ProfiledBatch {
  const fit = largestFit(batchSize, memory().peakBytes, (size) => {
    const batch = unscoped(() => ({
      images: ops.zeros([size, channels, height, width]),
      labels: ops.zeros([size], { dtype: "int64" }),
    }));
    const rows = new Int32Array(size);
    stepper.step({ ...batch, size, index: 0, rows }, { phase: () => undefined });
  });
  const [said] = error.message.split("\n");
  const fits = fit === undefined ? "not one image fits" : `--batch-size ${fit.size} would fit`;
  const message = `no memory for a batch of ${batchSize} images: ${said}; ${fits}`;
  return { kind: "out of memory", batchSize, fits: fit?.size ?? null, message };
}
