import { join } from "node:path";
import { requireTwoClasses } from "../data/checks.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import type { RecordedSplit } from "../data/recorded.ts";
import { UsageError } from "../errors.ts";
import { type ComputeChoice, chooseCompute } from "../models/compute.ts";
import { throwIfStopped } from "../platform/stop.ts";
import { changesImages } from "../run/augmentation.ts";
import type { TrainConfig } from "../run/config.ts";
import { flagOf } from "../run/config-flags.ts";
import { describeEnvironment } from "../run/environment.ts";
import { lrWarning } from "../run/lr-find.ts";
import { readRun } from "../run/read.ts";
import { createRun, defaultRunName, findRun, type RunRecord, resumeRun } from "../run/record.ts";
import { withRunLock } from "../run/run-lock.ts";
import { checkTracking, openTracker } from "../run/track/open.ts";
import {
  getThreads,
  limitToMachine,
  resetPeakMemory,
  setThreads,
  version,
} from "../tensor/index.ts";
import type { TrainOptions, TrainResult } from "./events.ts";
import { trainingInput, withInput } from "./input.ts";
import { asksForMore, extendRun } from "./more-epochs.ts";
import { goOnWithout, recordedFor } from "./recorded-split.ts";
import { digestOf, engineFingerprint, refuseOtherConfig, resumeSession } from "./resume.ts";
import { checkLabels } from "./sanity/batch.ts";
import { Session } from "./session.ts";
import { describeWeights, openStartWeights, startFrom } from "./start-weights.ts";
import { describeTeacher } from "./teacher.ts";
import { Trainer } from "./trainer.ts";

/**
 * Trains a model as the config says and writes its run record: the best epoch by validation accuracy is
 * kept and judged on the test set at the end.
 * @throws UsageError for what cannot be trained; ThawError where training diverges or the disk is full,
 * with the last good checkpoint kept.
 */
export async function train(
  asked: TrainConfig,
  data: DatasetSplits,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const started = performance.now();
  throwIfStopped(options.signal);
  refuseEmpty(data);
  checkTracking(asked, process.env);
  const open = () => (options.openWeights ?? openStartWeights)(asked);
  // A run that is resumed has its numbers in a checkpoint, and what its network sees in its config.
  let weights = options.resume && asked.mean !== undefined ? undefined : await open();
  const config = withInput(asked, weights, data);
  if (!options.resume) refuseUnused(config);
  const input = trainingInput(config, data);
  if (config.threads !== undefined) setThreads(config.threads);
  const compute = chooseCompute(config);
  const fingerprint = engineFingerprint(compute);
  resetPeakMemory();
  limitToMachine();
  throwIfStopped(options.signal);
  // Before the record: what cannot be built must not have replaced a run.
  await using session = new Session(config, data, input, compute, options);
  if (weights !== undefined && !options.resume) {
    startFrom(weights, config, data, session, options);
  }
  refuseLabels(data);
  requireTwoClasses(data.train, data.name);
  const origin = {
    // Of what was asked for: the record's config has what the network sees beside it.
    configDigest: digestOf(asked),
    ...(weights !== undefined && { weights: await describeWeights(weights) }),
    ...describeTeacher(config),
  };
  const name = config.name ?? defaultRunName(config);
  const dir = options.resume ? findRun(name, config.out) : join(config.out, name);
  const note = (text: string) => options.onNote?.(text);
  const split = options.resume ? undefined : await recordedFor(config, data, options);
  const record = async (): Promise<TrainResult> => {
    const run =
      split === undefined
        ? resumeRun(dir)
        : newRecord(config, data, compute, options, { origin, split });
    if (options.resume) {
      const { summary } = readRun(run.dir);
      refuseOtherConfig(run, config);
      const isLonger = asksForMore(run, config);
      if (summary?.status === "finished" && !isLonger) {
        options.onNote?.(`${run.name} is finished: nothing is left to train`);
        return { run, summary };
      }
      if (!resumeSession(run, config, data, session, fingerprint, note)) {
        weights ??= await open();
        if (weights !== undefined) startFrom(weights, config, data, session, options);
      }
      if (isLonger) note(`${run.name} ${extendRun(run, config, session)}`);
      await goOnWithout(run, data, session, options);
      run.removeResults();
    }
    const warning = options.resume ? undefined : lrWarning(asked);
    if (warning !== undefined) note(warning);
    const fromStep = session.progress.step;
    const tracker = openTracker(config, run, { fromStep, onNote: note });
    const parts = { config, data, input, compute, run, tracker, session };
    const trainer = new Trainer({ ...parts, options, fingerprint, started });
    try {
      const summary = await trainer.fit();
      await options.pictures?.({ run, tracker, input, test: data.test });
      return { run, summary };
    } finally {
      await tracker.close();
    }
  };
  return await withRunLock(dir, record, note);
}

/** Refuses what a new run would not use. Runs that were trained so are read all the same. */
function refuseUnused(config: TrainConfig): void {
  const { featureCacheBudget, views = 1, featureCache } = config;
  const given = featureCacheBudget !== undefined ? "featureCacheBudget" : "views";
  if ((featureCacheBudget !== undefined || views > 1) && featureCache === false) {
    throw new UsageError(`${flagOf([given])}: features are computed in every epoch`, {
      hint: `leave ${flagOf(["featureCache"]).replace("--", "--no-")} out`,
    });
  }
  if (views > 1 && !changesImages(config)) {
    throw new UsageError(`${flagOf(["views"])}: without augmentation, all views are identical`, {
      hint: "add an augmentation, such as --augment-flip or --aa randaugment",
    });
  }
}

function refuseEmpty({ name, train, val, test }: DatasetSplits): void {
  for (const [split, set] of Object.entries({ training: train, validation: val, test })) {
    if (set.count > 0) continue;
    throw new UsageError(`${name}: there are no ${split} images`, {
      hint: "the best epoch is chosen by the validation images and judged on the test images: leave some in each",
    });
  }
}

/** Before the record, which a step that fails would leave behind. */
function refuseLabels({ name, train, val, test }: DatasetSplits): void {
  const check = checkLabels({ training: train, validation: val, test });
  if (check.status !== "failed") return;
  throw new UsageError(
    `${name}: ${check.detail}`,
    check.hint === undefined ? {} : { hint: check.hint },
  );
}

function newRecord(
  config: TrainConfig,
  data: DatasetSplits,
  compute: ComputeChoice,
  options: TrainOptions,
  { origin, split }: { origin: Readonly<Record<string, unknown>>; split: RecordedSplit },
): RunRecord {
  const name = config.name ?? defaultRunName(config);
  return createRun({
    out: config.out,
    name,
    config: { ...config, name },
    split,
    environment: {
      ...describeEnvironment({
        threads: getThreads(),
        precision: compute.precision,
        device: compute.device,
        dataset: { name: data.name, fingerprint: data.fingerprint, unusable: data.unusable },
        engine: { ...version() },
      }),
      ...origin,
    },
    ...(options.overwrite && { overwrite: true }),
  });
}
