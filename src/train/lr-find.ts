import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { type Batch, type BatchSource, discardBatch } from "../data/loader.ts";
import { writeDurably } from "../platform/durable.ts";
import { throwIfStopped } from "../platform/stop.ts";
import type { TrainConfig } from "../run/config.ts";
import { type LrFind, lrFindFolder, lrFindSubject } from "../run/lr-find.ts";
import { freezeStages } from "../transfer/index.ts";
import { trainOnFeatures } from "./features.ts";
import { trainFirstStep } from "./first-step.ts";
import { rangeRate, SmoothLoss, steepest, trimmed, valley } from "./lr-suggest.ts";
import { trainStepInMemory } from "./out-of-memory.ts";
import { transferOf } from "./plan.ts";
import { type Rehearsal, type RehearsalOptions, rehearse } from "./rehearsal.ts";
import { DivergedError } from "./step.ts";

export interface LrFindOptions extends RehearsalOptions {
  /** Default from 1e-7 to 10 over 100 steps. */
  readonly range?: LrFind["range"];
  readonly onStep?: (progress: { step: number; steps: number; lr: number; smooth: number }) => void;
}

const RANGE: LrFind["range"] = { from: 1e-7, to: 10, steps: 100 };
/** The test ends where the smoothed loss is so many times the lowest so far. */
const FAR = 4;

/**
 * Smith's range test: a step at each of exponentially growing rates, from where the config's training begins, and a rate
 * suggested from the course of the loss as fastai does. The result is kept in {@link lrFindFolder}; no run is touched.
 * (Smith 2017, Cyclical learning rates, §3.3)
 * @throws UsageError for what cannot be trained; ThawError where the loss is no number at the lowest rates already;
 *   OutOfMemoryError, which says what batch size would fit.
 */
export async function findLearningRate(
  asked: TrainConfig,
  data: DatasetSplits,
  options: LrFindOptions = {},
): Promise<{ readonly found: LrFind; readonly dir: string }> {
  await using rehearsal = await rehearse(asked, data, options);
  const { config, input, compute, session } = rehearsal;
  const { range = RANGE, onStep, ...rest } = options;
  await trainOnFeatures(session, config, data, input, compute, rest);
  const { points, stopped } = await test(rehearsal, range, onStep, options.signal);
  const looked = trimmed(points, range.steps);
  const found: LrFind = {
    subject: lrFindSubject(asked),
    seed: config.seed,
    range,
    ...(stopped !== undefined && { stopped }),
    points,
    suggestion: { lr: valley(looked), by: "valley" },
    valley: valley(looked),
    steepest: steepest(looked),
  };
  const dir = lrFindFolder(asked);
  mkdirSync(dir, { recursive: true });
  writeDurably(join(dir, "lr-find.json"), `${JSON.stringify(found, null, 2)}\n`);
  return { found, dir };
}

async function test(
  { config, compute, session }: Rehearsal,
  range: LrFind["range"],
  onStep: LrFindOptions["onStep"],
  signal: AbortSignal | undefined,
): Promise<{ points: LrFind["points"]; stopped?: string }> {
  const { model, network, optimizer, train, loss: lossOf, scaler } = session;
  const { clipGrad, gradAccumSteps = 1 } = config;
  freezeStages(model, transferOf(config), 1);
  network.train();
  const average = new SmoothLoss();
  const points: LrFind["points"] = [];
  let lowest = Number.POSITIVE_INFINITY;
  const update: { loss: number; batches: number } = { loss: 0, batches: 0 };
  for await (const batch of endless(train)) {
    if (signal?.aborted) {
      discardBatch(batch);
      throwIfStopped(signal);
    }
    const lr = rangeRate(points.length, range);
    const isLast = ++update.batches === gradAccumSteps;
    try {
      const accumulation = { batches: gradAccumSteps, isLast };
      const step = { ...compute, lr, loss: lossOf, clipGrad, scaler, accumulation };
      const make = points.length === 0 ? trainFirstStep : trainStepInMemory;
      const done = make(network, optimizer, batch, step, gradAccumSteps);
      update.loss += done.loss / gradAccumSteps;
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error;
      return { points, stopped: `${error.message} at ${lr.toPrecision(2)}` };
    }
    if (!isLast) continue;
    const { loss } = update;
    Object.assign(update, { loss: 0, batches: 0 });
    const smooth = average.add(loss);
    points.push({ lr, loss, smooth });
    onStep?.({ step: points.length, steps: range.steps, lr, smooth });
    lowest = Math.min(lowest, smooth);
    if (smooth > FAR * lowest) {
      return { points, stopped: `the loss is ${FAR} times its lowest at ${lr.toPrecision(2)}` };
    }
    if (points.length === range.steps) break;
  }
  return { points };
}

async function* endless(source: BatchSource): AsyncGenerator<Batch> {
  for (let epoch = 1; ; epoch++) yield* source.epoch(epoch);
}
