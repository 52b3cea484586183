import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cpuInfo } from "../libtorch/index.ts";
import { type ComputeChoice, chooseCompute, type ModelName } from "../models/index.ts";
import { writeDurably } from "../platform/durable.ts";
import type { Profile, ProfiledModel } from "../run/profile.ts";
import { getThreads, limitToMachine, version } from "../tensor/index.ts";
import { measureGemm } from "./gemm.ts";
import { type ModelEvents, profileModel } from "./profile-model.ts";
import type { Recording } from "./recording.ts";
import { type Images, refuseOtherSizes, type TrainStep } from "./subject.ts";
import { traceLines, traceOf } from "./trace.ts";
import type { WindowPlan } from "./window.ts";

export interface ProfileOptions extends Omit<ModelEvents, "onProgress"> {
  readonly models: readonly ModelName[];
  readonly images: Images;
  readonly batchSizes: readonly number[];
  readonly window: WindowPlan;
  readonly precision: "auto" | "fp32" | "bf16" | "fp16";
  readonly device: "auto" | "cpu" | "cuda" | "mps";
  /** Undefined: forward passes in evaluation mode. */
  readonly trainStep: TrainStep | undefined;
  /** Folder that gets `profile.json` and `trace.json`. */
  readonly into: string;
}

/**
 * Profiles networks one after the other and writes `profile.json`, after every batch size anew, and `trace.json`. Where
 * it is stopped, what was measured is kept, and the profile says that it was interrupted.
 * @throws UsageError for a network that does not take images of this size, before anything is measured.
 */
export async function profileModels(options: ProfileOptions): Promise<Profile> {
  const { models, images, into, window, signal } = options;
  limitToMachine();
  const compute = chooseCompute(options);
  // Before minutes are spent on those that come first.
  for (const name of models) refuseOtherSizes(name, images, compute);
  mkdirSync(into, { recursive: true });
  const gemm = measureGemm(compute);
  const data = images.kind === "data" ? images.data.name : "drawn";
  const mode = options.trainStep === undefined ? "infer" : "train";
  const head = { ...machineOf(compute), mode, data, gemm } as const;
  const done: ProfiledModel[] = [];
  let underWay: ProfiledModel[] = [];
  const recordings: { name: string; recording: Recording }[] = [];
  const write = (status: Profile["status"], models: readonly ProfiledModel[]): Profile => {
    const profile = { ...head, status, models: [...models], notes: notesOn(models) };
    writeProfile(into, profile);
    return profile;
  };
  const keepTrace = () => {
    if (recordings.length > 0) writeTrace(into, recordings);
  };
  try {
    for (const name of models) {
      if (signal?.aborted) break;
      const plan = { ...options, compute, gemm, window };
      const onProgress = (model: ProfiledModel) => {
        underWay = [model];
        write("running", [...done, model]);
      };
      const { model, recording } = await profileModel(name, plan, { ...options, onProgress });
      done.push(model);
      underWay = [];
      if (recording !== undefined) recordings.push({ name, recording });
    }
  } catch (error) {
    const kept = [...done, ...underWay];
    // Of what fails here too, as on a full disk, the first is told.
    attempt(() => kept.length > 0 && write("interrupted", kept));
    attempt(keepTrace);
    throw error;
  }
  keepTrace();
  return write(signal?.aborted ? "interrupted" : "finished", done);
}

function attempt(body: () => unknown): void {
  try {
    body();
  } catch {}
}

/** What of a profile is the machine's. */
export function machineOf(compute: ComputeChoice) {
  return {
    version: 1 as const,
    precision: compute.precision,
    device: compute.device,
    threads: getThreads(),
    cpu: cpuInfo().model,
    libtorch: version().libtorch,
  };
}

export function writeProfile(dir: string, profile: Profile): void {
  writeDurably(join(dir, "profile.json"), `${JSON.stringify(profile, null, 2)}\n`);
}

export function writeTrace(
  dir: string,
  recordings: readonly { readonly name: string; readonly recording: Recording }[],
): void {
  writeDurably(join(dir, "trace.json"), traceLines(traceOf(recordings)));
  for (const recording of recordings) {
    // By this end of their names TensorBoard's plugin finds them; it wants one process a file.
    const file = join(dir, `${recording.name}.pt.trace.json`);
    writeDurably(file, traceLines(traceOf([recording])));
  }
}

/** What a reader of the numbers has to know. */
export function notesOn(models: readonly ProfiledModel[]): string[] {
  return models.flatMap(({ model, batches }) =>
    batches.flatMap((batch) => {
      if (batch.kind !== "measured") return [`${model}: ${batch.message}`];
      if (!batch.noisy) return [];
      const spread = Math.round(100 * batch.spread);
      return [
        `${model}, batch ${batch.batchSize}: the measurement is noisy (middle half of the steps within ${spread} % of the median): take it again on a quiet machine`,
      ];
    }),
  );
}
