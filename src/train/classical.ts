import { type GridFit, type GridResult, GridSearchCV, type Pipeline } from "../classical/index.ts";
import { requireTwoClasses } from "../data/checks.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { chooseCompute } from "../models/compute.ts";
import { inTurns, onStop, type Steps, StoppedError, throwIfStopped } from "../platform/stop.ts";
import {
  type ClassicalConfig,
  classicalStrategy,
  parseGrid,
  refuseUnusedClassical,
} from "../run/classical-config.ts";
import { makeClassical, saveClassical } from "../run/classical-model.ts";
import { describeEnvironment } from "../run/environment.ts";
import { openFeatures } from "../run/features.ts";
import type { ImageShape } from "../run/input.ts";
import { judgeClassical } from "../run/judge-classical.ts";
import { createRun, defaultRunName } from "../run/record.ts";
import type { RunStatus, Summary } from "../run/summary.ts";
import { checkTracking, openTracker } from "../run/track/open.ts";
import type { WeightsPlaces } from "../run/weights.ts";
import {
  getThreads,
  memory,
  resetPeakMemory,
  scope,
  setThreads,
  version,
} from "../tensor/index.ts";
import type { TrainEvents, TrainOptions, TrainResult } from "./events.ts";
import { recordedFor } from "./recorded-split.ts";

export interface ClassicalOptions
  extends Pick<TrainEvents, "onNote">,
    Pick<TrainOptions, "pictures" | "signal"> {
  readonly overwrite?: boolean;
  /** Folder of what is kept between runs; default Thaw's cache. */
  readonly cache?: string;
  /** Where the published weights of a network may come from whose embeddings are the features. */
  readonly places?: Omit<WeightsPlaces, "out">;
  /** Told after every fit of a grid. */
  readonly onFit?: (fit: GridFit) => void;
}

type Scoring = NonNullable<ConstructorParameters<typeof GridSearchCV>[1]["scoring"]>;

/**
 * Fits a classical model on pixels or embeddings, by a grid where the config has one, judges it on the test set and writes
 * the same run record as a network's.
 * Where the signal stops it, nothing but the record is kept: it is fitted again from the beginning.
 * @throws UsageError for what cannot be trained; ThawError where the solver is given what it cannot use.
 */
export async function trainClassical(
  config: ClassicalConfig,
  data: DatasetSplits,
  options: ClassicalOptions = {},
): Promise<TrainResult> {
  const started = performance.now();
  const note = (text: string) => options.onNote?.(text);
  const { signal } = options;
  throwIfStopped(signal);
  refuseUnusedClassical(config);
  checkTracking(config, process.env);
  const { train, test } = data;
  for (const [split, { count }] of Object.entries({ training: train, test })) {
    if (count === 0) throw new UsageError(`${data.name}: there are no ${split} images`);
  }
  requireTwoClasses(train, data.name);
  if (config.threads !== undefined) setThreads(config.threads);
  const compute = chooseCompute(config);
  resetPeakMemory();
  const places = { out: config.out, ...options.places };
  const { imgSize, cropPct, interpolation } = config;
  using source = await openFeatures(config.features, train, {
    ...{ compute, places, onNote: note, cache: options.cache, signal },
    resizing: { imgSize, cropPct, interpolation },
  });
  const { input } = source;
  if (input.interpolation !== undefined) note(describeShape(config.features, input));
  // Nothing is chosen by a validation split here: folds of the training images do that.
  for (const text of data.notes) if (!text.startsWith("no validation split")) note(text);
  const strategy = classicalStrategy(config);
  const name = config.name ?? defaultRunName({ ...config, strategy });
  const precision = config.features === "pixels" ? "fp32" : compute.precision;
  const split = await recordedFor(config, data, { ...options, onNote: note });
  const run = createRun({
    out: config.out,
    name,
    config: { ...config, name },
    split,
    environment: {
      ...describeEnvironment({
        threads: getThreads(),
        precision,
        device: compute.device,
        dataset: { name: data.name, fingerprint: data.fingerprint, unusable: data.unusable },
        engine: { ...version() },
      }),
    },
    ...(options.overwrite && { overwrite: true }),
  });
  const tracker = openTracker(config, run, { onNote: note });
  const summaryOf = (more: Pick<Summary, "status"> & Partial<Summary>): Summary => ({
    ...{ model: config.model, strategy, dataset: data.name, classes: [...train.classes] },
    ...(data.unusable && { unusable: data.unusable.length }),
    ...{ seed: config.seed, epochs: 0, parameters: 0, trainableParameters: 0 },
    ...{ best: null, test: null, imagesPerSecond: null },
    ...{ peakMemoryBytes: memory().peakBytes, precision, device: compute.device },
    ...more,
    seconds: { train: 0, perEpoch: null, ...more.seconds, total: secondsSince(started) },
  });
  const tell = (summary: Summary): Summary => {
    run.writeSummary(summary);
    tracker.summary(summary);
    return summary;
  };
  const end = (status: RunStatus, reason: string): Summary => {
    const summary = summaryOf({ status, reason });
    try {
      return tell(summary);
    } catch (second) {
      note(`summary.json does not say that it ${status}: ${(second as Error).message}`);
      return summary;
    }
  };
  // At once: a second Ctrl-C leaves no time for it.
  using _heard = onStop(signal, (stop) => void end(stop, `${stop} during fitting`));
  try {
    using features = await source.extract(train);
    const began = performance.now();
    using fitted = await fitModel(config, features, train.labels, options);
    const seconds = { total: 0, train: secondsSince(began), perEpoch: null };
    const { pipeline, search } = fitted;
    const model = { pipeline, classes: train.classes, features: config.features, input };
    const { model: of, data: from } = config;
    saveClassical(run.best, model, { format: "pt", model: of, data: from, run: name });
    using testFeatures = await source.extract(test);
    const judged = { name: data.name, set: test, features: testFeatures };
    const result = await judgeClassical(run.dir, model, judged, signal);
    const parameters = parameterCount(pipeline);
    const summary = tell(
      summaryOf({
        ...{ status: "finished", parameters, trainableParameters: parameters },
        ...{ test: result, seconds },
        ...iterationsOf(pipeline),
        ...(search !== undefined && { grid: search }),
      }),
    );
    await options.pictures?.({ run, test, input, tracker });
    return { run, summary };
  } catch (error) {
    if (error instanceof StoppedError) {
      return { run, summary: end(error.stop, `${error.stop} while it was fitted`) };
    }
    end("failed", error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    await tracker.close();
  }
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000;

/** What becomes of images that are resized. */
function describeShape(features: string, shape: ImageShape): string {
  const { height, width, interpolation, cropPct } = shape;
  const size = features === "pixels" ? "; --img-size sets another" : "";
  return `images are resized to ${height}×${width} pixels (${interpolation}, crop ${cropPct})${size}`;
}

interface FittedClassical extends Disposable {
  readonly pipeline: Pipeline;
  readonly search?: { readonly best: unknown; readonly results: readonly unknown[] };
}

async function fitModel(
  config: ClassicalConfig,
  features: Parameters<Pipeline["fit"]>[0],
  labels: ArrayLike<number>,
  { onNote, onFit, signal }: ClassicalOptions,
): Promise<FittedClassical> {
  const pipeline = makeClassical(config, (text) => onNote?.(text));
  if (config.grid === undefined) {
    await fitOrLetGo(pipeline, pipeline.fitSteps(features, labels), signal);
    return { pipeline, [Symbol.dispose]: () => pipeline[Symbol.dispose]() };
  }
  const { model, grid, cv = 5, scoring = "accuracy" } = config;
  const entries = Object.entries(parseGrid(model, grid));
  const search = new GridSearchCV(pipeline, {
    paramGrid: Object.fromEntries(
      entries.map(([key, values]) => [`model__${key === "vote" ? "weights" : key}`, values]),
    ),
    cv,
    scoring: scoring as Scoring,
    ...(onFit && { onFit }),
  });
  await fitOrLetGo(search, search.fitSteps(features, labels), signal);
  const plain = ({ splitTestScores, ...rest }: GridResult) => ({
    ...rest,
    splitTestScores: [...splitTestScores],
  });
  return {
    pipeline: search.bestEstimator as Pipeline,
    search: { best: search.bestParams, results: search.cvResults.map(plain) },
    [Symbol.dispose]: () => search[Symbol.dispose](),
  };
}

async function fitOrLetGo(
  owner: Disposable,
  steps: Steps<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await inTurns(steps, signal);
  } catch (error) {
    owner[Symbol.dispose]();
    throw error;
  }
}

/** Numbers that prediction needs: of k-NN, those of all training rows. */
function parameterCount(pipeline: Pipeline): number {
  return scope(() => {
    const { tensors } = pipeline.steps.classifier[1].state();
    return [...tensors.values()].reduce((sum, tensor) => sum + tensor.elements, 0);
  });
}

function iterationsOf(pipeline: Pipeline): { iterations?: number } {
  const nIter = scope(() => pipeline.steps.classifier[1].state().nIter);
  return nIter === undefined ? {} : { iterations: nIter };
}
