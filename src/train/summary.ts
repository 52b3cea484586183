import type { DatasetSplits } from "../data/imageset.ts";
import { ofEach } from "../data/recorded.ts";
import type { ComputeChoice } from "../models/compute.ts";
import type { TrainConfig } from "../run/config.ts";
import { readRun, readTimings } from "../run/read.ts";
import type { RunRecord } from "../run/record.ts";
import { readSplit } from "../run/split-file.ts";
import type { RunStatus, Summary } from "../run/summary.ts";
import { memory } from "../tensor/index.ts";
import type { Session } from "./session.ts";

/** What of a summary the trainer alone knows. */
export interface Outcome extends Pick<Summary, "latencyMs" | "latencyOn"> {
  readonly status: RunStatus;
  readonly reason?: string;
  readonly test?: Summary["test"];
  readonly leftOut?: Summary["leftOut"];
  /** Seconds since the command began, and those of an epoch that is not finished. */
  readonly totalSeconds: number;
  readonly openSeconds: number;
}

/** A run's summary as it stands. Training times are those of all its processes, from the timings on disk. */
export function summarise(
  run: RunRecord,
  config: TrainConfig,
  data: DatasetSplits,
  compute: ComputeChoice,
  session: Session,
  outcome: Outcome,
): Summary {
  const { progress } = session;
  const { latencyMs, latencyOn } = outcome;
  const timings = readTimings(run.dir);
  const steps = sum(timings.map((timing) => timing.train));
  const trained = steps + session.featureSeconds;
  const images = sum(timings.map((timing) => timing.train * timing.imagesPerSecond));
  const whole = steps + sum(timings.map((timing) => timing.validation));
  return {
    model: config.model,
    strategy: config.strategy,
    dataset: data.name,
    ...unusableOf(run),
    classes: [...data.train.classes],
    seed: config.seed,
    status: outcome.status,
    ...(outcome.reason !== undefined && { reason: outcome.reason }),
    ...(outcome.leftOut !== undefined && { leftOut: outcome.leftOut }),
    epochs: progress.epoch,
    ...parameterCounts(session),
    best: progress.best,
    test: outcome.test ?? null,
    seconds: {
      total: outcome.totalSeconds,
      train: trained + outcome.openSeconds,
      perEpoch: timings.length > 0 ? whole / timings.length : null,
    },
    imagesPerSecond: images > 0 ? images / trained : null,
    peakMemoryBytes: memory().peakBytes,
    ...(latencyMs !== undefined && { latencyMs, latencyOn }),
    precision: compute.precision,
    device: compute.device,
  };
}

/** Of the run's environment: a run that is resumed opens the images that it kept, and they can be used. */
function unusableOf({ dir }: RunRecord): Pick<Summary, "unusable"> {
  const { dataset } = readRun(dir).environment as { dataset?: { unusable?: readonly unknown[] } };
  return dataset?.unusable === undefined ? {} : { unusable: dataset.unusable.length };
}

/** How many images of each split the run went on without; undefined for none. */
export function leftOutOf({ dir }: RunRecord): Summary["leftOut"] {
  const { leftOut = [] } = readSplit(dir) ?? {};
  if (leftOut.length === 0) return undefined;
  return ofEach((split) => leftOut.filter((one) => one.split === split).length);
}

export function parameterCounts({
  model,
}: Session): Pick<Summary, "parameters" | "trainableParameters"> {
  const parameters = model.parameters();
  const elements = (of: typeof parameters) => sum(of.map((parameter) => parameter.elements));
  return {
    parameters: elements(parameters),
    trainableParameters: elements(parameters.filter((parameter) => parameter.requiresGrad)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
