import type { DatasetSplits } from "../data/imageset.ts";
import { fingerprintWithout } from "../data/recorded.ts";
import { ThawError, UsageError } from "../errors.ts";
import { amxState, cpuInfo } from "../libtorch/index.ts";
import type { ComputeChoice } from "../models/compute.ts";
import { borrowTensorData } from "../models/weights/tensors.ts";
import { firstUnusable } from "../models/weights/unusable.ts";
import {
  type Checkpoint,
  type Fingerprint,
  fingerprintDifferences,
  newestVerified,
} from "../run/checkpoint.ts";
import { canonicalJson, configDigest, type TrainConfig } from "../run/config.ts";
import { readRun } from "../run/read.ts";
import type { RunRecord } from "../run/record.ts";
import { readSplit } from "../run/split-file.ts";
import { getThreads, scope, version } from "../tensor/index.ts";
import type { Session } from "./session.ts";
import { describeTeacher } from "./teacher.ts";

/**
 * Puts a session where its run's newest good checkpoint stands. False for a run that has none, which
 * starts from the beginning.
 * @throws UsageError for another config or other data than the run's; ThawError under `exact` where the
 * bits could differ.
 */
export function resumeSession(
  run: RunRecord,
  config: TrainConfig,
  data: DatasetSplits,
  session: Session,
  fingerprint: Fingerprint,
  note: (text: string) => void,
): boolean {
  const { dataset, teacher } = readRun(run.dir).environment as {
    dataset?: { fingerprint?: string };
    teacher?: string;
  };
  const recorded = readSplit(run.dir);
  const { leftOut = [] } = data;
  const before = recorded?.fingerprint ?? dataset?.fingerprint;
  const expected =
    before === undefined || leftOut.length === 0 ? before : fingerprintWithout(before, leftOut);
  if (expected !== undefined && expected !== data.fingerprint) {
    throw new UsageError(
      `${run.name} was trained on other data: content, classes or split differ`,
      {
        hint: "give the data it was begun with, or train a run of another --name",
      },
    );
  }
  const { checkpoint, rejected } = newestVerified(run.checkpoints);
  for (const { file, why } of rejected) note(`checkpoint ${file} was passed over: ${why}`);
  if (checkpoint === undefined) {
    note("no checkpoint yet: the run starts from the beginning");
    run.rewind({ epoch: 0, step: 0 });
    return false;
  }
  // A checkpoint of a run that got more epochs may be from before.
  const { config: own, environment } = readRun(run.dir);
  const horizons = [config.epochs, Number(own["epochs"]), ...earlierEpochs(environment)];
  const digests = horizons.map((epochs) => digestOf({ ...config, epochs }));
  if (!digests.includes(checkpoint.configDigest)) throw otherConfig(run, config);
  const differences = fingerprintDifferences(checkpoint.fingerprint, fingerprint);
  if (describeTeacher(config).teacher !== teacher) differences.push("the teacher was trained anew");
  if (differences.length > 0) {
    const text = `the resumed run will not be the same to the last bit: ${differences.join("; ")}`;
    if (config.exact) throw new ThawError(`--exact: ${text}`);
    note(text);
  }
  refuseUnusable(checkpoint);
  session.load(checkpoint.tensors, checkpoint.state);
  run.rewind(checkpoint);
  return true;
}

/**
 * Refuses to go on with a run by another config than its own; more epochs are not another.
 * @throws UsageError that names what differs.
 */
export function refuseOtherConfig(run: RunRecord, config: TrainConfig): void {
  const { config: own } = readRun(run.dir);
  const epochs = Math.min(config.epochs, Number(own["epochs"] ?? config.epochs));
  const differing = configDifferences(own, { ...config, epochs });
  if (differing.length > 0) throw otherConfig(run, config);
}

function otherConfig(run: RunRecord, config: TrainConfig): UsageError {
  const differing = configDifferences(readRun(run.dir).config, config);
  const where = differing.length === 0 ? "" : `: ${differing.join("; ")}`;
  return new UsageError(`${run.name} was trained with a different config${where}`, {
    hint: `its own is in ${run.path("config.json")}; \`thaw train --resume ${run.name}\` without other flags uses it`,
  });
}

/** How many epochs a run had before it got more, from its environment.json; the first first. */
export function earlierEpochs(environment: Readonly<Record<string, unknown>>): readonly number[] {
  const value = environment["earlierEpochs"];
  return Array.isArray(value) ? value.filter((one) => typeof one === "number") : [];
}

/** @throws ThawError for a checkpoint with a value that training cannot go on from. */
function refuseUnusable({ path, tensors }: Checkpoint): void {
  const unusable = scope(() => {
    const all = [...tensors]
      .filter(([, { dtype }]) => /F\d\d$/.test(dtype))
      .map(([name, data]) => [name, borrowTensorData(data)] as const);
    const isState = ([name]: (typeof all)[number]) => name.startsWith("optimizer.");
    return (
      firstUnusable(all.filter((one) => !isState(one))) ??
      // Squares of gradients may be large.
      firstUnusable(all.filter(isState), Number.MAX_VALUE)
    );
  });
  if (unusable === undefined) return;
  throw new ThawError(
    `${path}: ${unusable.name} has ${unusable.what}, so training cannot resume from it`,
    { hint: "remove this file: the run then resumes from the checkpoint before it" },
  );
}

/** Without --exact, which changes no number: it may be given when a run is resumed. */
export function digestOf(config: TrainConfig): string {
  return configDigest({ ...config, exact: undefined });
}

/** What of a run's config is not what was given, as `lr is 0.001 there, 0.5 given`. */
function configDifferences(run: Readonly<Record<string, unknown>>, given: TrainConfig): string[] {
  const decides = new Map<string, [unknown, unknown]>();
  for (const key of [...Object.keys(run), ...Object.keys(given)]) {
    if (["name", "out", "exact", "track", "logHistograms"].includes(key)) continue;
    decides.set(key, [run[key], given[key as keyof TrainConfig]]);
  }
  const shown = (value: unknown) => (value === undefined ? "not set" : canonicalJson(value));
  return [...decides].flatMap(([key, [there, here]]) =>
    shown(there) === shown(here) ? [] : [`${key} is ${shown(there)} there, ${shown(here)} given`],
  );
}

/** What decides a step's bits on this machine, beside config and data. */
export function engineFingerprint(compute: ComputeChoice): Fingerprint {
  const { libtorch, compiler } = version();
  const cpu = cpuInfo();
  const widest = cpu.avx512 ? "avx512" : cpu.avx2 ? "avx2" : "default";
  const amx = ["reported", "supplied"].includes(amxState()) ? "+amx" : "";
  return {
    libtorch: `${libtorch} (${compiler})`,
    instructionSet: `${process.env["ATEN_CPU_CAPABILITY"] ?? widest}${amx}`,
    threads: getThreads(),
    worldSize: 1,
    compute: `${compute.precision} on ${compute.device}`,
  };
}
