import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { DatasetSplits, SplitSet } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import type { Predictions } from "../metrics/index.ts";
import { accuracy } from "../metrics/index.ts";
import { type ComputeChoice, freeze } from "../models/index.ts";
import { canonicalJson } from "../run/config.ts";
import { describeEnvironment } from "../run/environment.ts";
import {
  type CheckpointName,
  type Evaluation,
  evaluationIn,
  evaluationName,
  type How,
  type Vote,
} from "../run/evaluation.ts";
import type { NetworkInput } from "../run/input.ts";
import { loadBestModel, loadLastModel } from "../run/load-model.ts";
import { modelDigest } from "../run/model-digest.ts";
import { type Run, readRun } from "../run/read.ts";
import { createRun, isRun, type RunRecord } from "../run/record.ts";
import type { TestResult } from "../run/results.ts";
import { withRunLock } from "../run/run-lock.ts";
import type { Summary } from "../run/summary.ts";
import { getThreads, memory, resetPeakMemory, version } from "../tensor/index.ts";
import { combine, reorder } from "./combine.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import { judge } from "./judge.ts";

/** A run that is judged, on the test split of its data. */
export interface Member {
  readonly dir: string;
  readonly data: DatasetSplits;
  readonly compute: ComputeChoice;
}

export interface TogetherOptions extends EvaluateOptions {
  /** How several members decide; with one it says nothing. */
  readonly vote?: Vote | undefined;
  /** Of which epoch the weights are; default the best on validation images. */
  readonly checkpoint?: CheckpointName | undefined;
  /** Folder of the runs; the result gets one of its own in it. */
  readonly out: string;
  /** Name of the result's folder; default from the members' names and how they are judged. */
  readonly name?: string;
  /** Replace another run of this name. The same evaluation is always replaced. */
  readonly overwrite?: boolean;
}

export interface TogetherAnswer {
  readonly run: RunRecord;
  readonly result: TestResult;
  /** What each member gets right by itself, with the same views of the images. */
  readonly members: readonly { readonly name: string; readonly accuracy: number }[];
}

/**
 * Judges an ensemble of runs, or one run, on several views of every test image or by the weights of its last epoch. The
 * members stay as they are: the result is a run record of its own, which reports list beside the runs.
 * @throws UsageError where the members' classes or test images are not the same: it names the difference.
 */
export async function evaluateTogether(
  members: readonly Member[],
  options: TogetherOptions,
): Promise<TogetherAnswer> {
  const { vote = "soft", tta, checkpoint = "best", out, cache, onNote, signal } = options;
  const started = performance.now();
  const runs = members.map(({ dir }) => readRun(dir));
  refuseDifferences(members, runs);
  resetPeakMemory();
  const judged: Predictions[] = [];
  let classes: readonly string[] = [];
  let input: NetworkInput | undefined;
  for (const { dir, data, compute } of members) {
    const file = (checkpoint === "last" ? loadLastModel : loadBestModel)(dir, compute);
    using _owned = file.model;
    const { channels, height, width } = file.input;
    freeze(file.model, [channels, height, width], compute);
    const test = { name: data.name, set: data.test };
    const said = await judge(file, test, compute, { tta, cache, onNote, signal });
    if (judged.length === 0) classes = file.classes;
    input ??= file.input;
    judged.push(reorder(said, file.classes, classes));
  }
  const together = combine(judged, vote);
  const without = (members[0]?.data.leftOut ?? [])
    .filter(({ split }) => split === "test")
    .map(({ file }) => file);
  const evaluation = evaluationOf(
    members.map(({ dir }) => dir),
    { vote, tta, checkpoint, without },
  );
  const name = options.name ?? nameOf(evaluation);
  const run = await withRunLock(join(out, name), async () => {
    const record = newRecord(members[0]!, runs, { ...options, name, evaluation });
    const written = record.writeResults({
      predictions: together,
      classes,
      set: members[0]!.data.test,
    });
    // Shares of votes are no probabilities: their cross-entropy says nothing.
    const test = members.length > 1 && vote === "hard" ? { ...written, loss: null } : written;
    record.writeSummary(summarise(members[0]!, runs, { started, test, evaluation }));
    const images = { test: members[0]!.data.test, input: input! };
    await options.pictures?.({ run: record, ...images });
    return record;
  });
  return {
    run,
    result: readRun(run.dir).summary!.test!,
    members: judged.map((said, i) => ({ name: runs[i]!.name, accuracy: accuracy.compute(said) })),
  };
}

/** Is the result of this evaluation there, of the models that the runs have now? They may lie in another place since. */
export function knownTogether(
  dirs: readonly string[],
  { out, name, ...how }: Pick<TogetherOptions, Exclude<keyof How, "without"> | "out" | "name">,
): boolean {
  const wanted = evaluationOf(dirs, how);
  const dir = join(out, name ?? nameOf(wanted));
  if (!isRun(dir)) return false;
  const { config, environment, summary } = readRun(dir);
  const before = evaluationIn(config);
  return (
    summary?.status === "finished" &&
    isDeepStrictEqual({ ...before, members: [] }, { ...wanted, members: [] }) &&
    isDeepStrictEqual(environment["members"], digestsOf(wanted))
  );
}

function evaluationOf(
  dirs: readonly string[],
  { vote = "soft", tta, checkpoint = "best", without = [] }: How,
): Evaluation {
  return {
    members: dirs.map((dir) => resolve(dir)),
    ...(dirs.length > 1 && { vote }),
    ...(tta !== undefined && { tta }),
    ...(checkpoint !== "best" && { checkpoint }),
    ...(without.length > 0 && { without }),
  };
}

function digestsOf({ members, checkpoint }: Evaluation): (string | undefined)[] {
  return members.map((dir) => modelDigest(dir, checkpoint));
}

function nameOf({ members, ...how }: Evaluation): string {
  return evaluationName(
    members.map((dir) => basename(dir)),
    how,
  );
}

function refuseDifferences(members: readonly Member[], runs: readonly Run[]): void {
  const [first, ...others] = members;
  for (const [i, other] of others.entries()) {
    const pair = `${runs[0]!.name} and ${runs[i + 1]!.name}`;
    const [own, theirs] = [runs[0], runs[i + 1]].map((run) => run!.summary?.classes ?? []);
    const only = (a: readonly string[], b: readonly string[]) => a.filter((c) => !b.includes(c));
    const [here, there] = [only(own!, theirs!), only(theirs!, own!)];
    if (here.length + there.length > 0) {
      const said = [here, there].map((names, n) =>
        names.length === 0
          ? []
          : [`only ${runs[n === 0 ? 0 : i + 1]!.name} has ${names.join(", ")}`],
      );
      throw new UsageError(`${pair} have other classes: ${said.flat().join("; ")}`);
    }
    const difference = testDifference(first!.data.test, other.data.test);
    if (difference !== undefined) {
      throw new UsageError(`${pair} have other test images: ${difference}`, {
        hint: "give them the same --data, --classes, --per-class, --test-size, --test-from and, where test images are drawn, --seed",
      });
    }
  }
}

/** How two test sets differ, in words; undefined where they are the same images with the same labels in the same order. */
export function testDifference(a: SplitSet, b: SplitSet): string | undefined {
  if (a.count !== b.count) return `${a.count} and ${b.count} of them`;
  const pixels = (set: SplitSet) => {
    if ("files" in set) return undefined;
    const { channels, height, width } = set;
    return `${channels}×${height}×${width}`;
  };
  if (pixels(a) !== pixels(b)) {
    return `${pixels(a) ?? "files"} and ${pixels(b) ?? "files"} pixels`;
  }
  for (let i = 0; i < a.count; i++) {
    if (!sameImage(a, b, i)) return `image ${i} is not the same`;
    const [own, other] = [a.classes[a.labels[i]!], b.classes[b.labels[i]!]];
    if (own !== other) return `image ${i} is ${own} in one and ${other} in the other`;
  }
  return undefined;
}

function sameImage(a: SplitSet, b: SplitSet, i: number): boolean {
  if ("files" in a || "files" in b) {
    return "files" in a && "files" in b && a.stamps[i] === b.stamps[i];
  }
  const size = a.channels * a.height * a.width;
  const [own, other] = [a, b].map(({ images }) => images.subarray(i * size, (i + 1) * size));
  return Buffer.compare(own!, other!) === 0;
}

function newRecord(
  { data, compute }: Member,
  runs: readonly Run[],
  { out, name, overwrite, evaluation }: TogetherOptions & { name: string; evaluation: Evaluation },
): RunRecord {
  const { config } = runs[0]!;
  return createRun({
    out,
    name,
    overwrite: overwrite === true || isSame(join(out, name), evaluation),
    config: { data: config["data"], seed: config["seed"], evaluation, name },
    environment: {
      ...describeEnvironment({
        threads: getThreads(),
        precision: compute.precision,
        device: compute.device,
        dataset: { name: data.name, fingerprint: data.fingerprint },
        engine: { ...version() },
      }),
      members: digestsOf(evaluation),
    },
  });
}

/** Is what stands there an earlier result of the same evaluation? */
function isSame(dir: string, evaluation: Evaluation): boolean {
  if (!existsSync(join(dir, "config.json"))) return false;
  return canonicalJson(evaluationIn(readRun(dir).config)) === canonicalJson(evaluation);
}

/** Is it the folder of a record that judges runs, and trained none? */
export function isEvaluation(dir: string): boolean {
  return isRun(dir) && evaluationIn(readRun(dir).config) !== undefined;
}

function summarise(
  { data, compute }: Member,
  runs: readonly Run[],
  { started, test, evaluation }: { started: number; test: TestResult; evaluation: Evaluation },
): Summary {
  const members = runs.map(({ summary }) => summary!);
  const sum = (of: (summary: Summary) => number) => members.reduce((n, s) => n + of(s), 0);
  const models = [...new Set(members.map(({ model }) => model))];
  const how = [
    evaluation.vote && `${evaluation.vote} vote`,
    evaluation.checkpoint === "last" && "last epoch",
    evaluation.tta,
    evaluation.without && `without ${evaluation.without.length} test images`,
  ].filter(Boolean);
  return {
    model: models.join(" + "),
    strategy: how.join(", "),
    dataset: data.name,
    classes: [...members[0]!.classes],
    seed: members[0]!.seed,
    status: "finished",
    epochs: 0,
    parameters: sum(({ parameters }) => parameters),
    trainableParameters: sum(({ trainableParameters }) => trainableParameters),
    best: null,
    test,
    seconds: {
      total: (performance.now() - started) / 1000,
      train: sum(({ seconds }) => seconds.train),
      perEpoch: null,
    },
    imagesPerSecond: null,
    peakMemoryBytes: memory().peakBytes,
    precision: compute.precision,
    device: compute.device,
    members: evaluation.members.map((dir) => basename(dir)),
  };
}
