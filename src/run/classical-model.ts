import {
  type ClassifierEstimator,
  type EstimatorState,
  KNeighborsClassifier,
  LinearSVC,
  LogisticRegression,
  MinMaxScaler,
  Pipeline,
  StandardScaler,
  type Transformer,
} from "../classical/index.ts";
import { ThawError } from "../errors.ts";
import type { TensorData } from "../models/weights/safetensors.ts";
import { borrowTensorData, toTensorData } from "../models/weights/tensors.ts";
import { parseJson } from "../platform/json.ts";
import { scope } from "../tensor/index.ts";
import { loadModel, saveModel } from "./checkpoint.ts";
import type { ClassicalConfig } from "./classical-config.ts";
import type { ImageShape } from "./input.ts";

/** The pipeline that a config asks for, not fitted. */
export function makeClassical(
  { model, scale, C, tol, maxIter = 1000, nNeighbors, vote, metric }: ClassicalConfig,
  onWarning: (text: string) => void,
): Pipeline {
  const solver = { maxIter, onWarning, ...(C !== undefined && { C }), ...(tol && { tol }) };
  const classifier: ClassifierEstimator = {
    logreg: () => new LogisticRegression(solver),
    linear_svc: () => new LinearSVC(solver),
    knn: () =>
      new KNeighborsClassifier({
        ...(nNeighbors !== undefined && { nNeighbors }),
        ...(vote !== undefined && { weights: vote }),
        ...(metric !== undefined && { metric }),
      }),
  }[model]();
  const scalers: Record<typeof scale, () => Transformer[]> = {
    none: () => [],
    standard: () => [new StandardScaler()],
    minmax: () => [new MinMaxScaler()],
  };
  return new Pipeline({
    transformers: scalers[scale]().map((scaler) => ["scale", scaler]),
    classifier: ["model", classifier],
  });
}

/** A fitted classical model as its file has it. */
export interface ClassicalModelFile {
  readonly pipeline: Pipeline;
  /** Names; the pipeline's labels are positions in it. */
  readonly classes: readonly string[];
  readonly features: string;
  readonly input: ImageShape;
}

interface SavedStep extends Pick<EstimatorState, "params" | "classes" | "nIter"> {
  readonly step: string;
  readonly estimator: string;
}

/** Writes a model as one safetensors file: its tensors by step, all else as JSON in the metadata. */
export function saveClassical(
  path: string,
  { pipeline, classes, features, input }: ClassicalModelFile,
  metadata: Readonly<Record<string, string>>,
): void {
  scope(() => {
    const tensors = new Map<string, TensorData>();
    const { transformers, classifier } = pipeline.steps;
    const steps = [...transformers, classifier].map(([step, estimator]): SavedStep => {
      const { tensors: own, ...state } = estimator.state();
      for (const [key, tensor] of own) tensors.set(`${step}.${key}`, toTensorData(tensor));
      return { step, estimator: estimator.name, ...state };
    });
    const { channels, height, width, interpolation, cropPct, pixelRange } = input;
    saveModel(path, tensors, {
      ...metadata,
      classes: JSON.stringify(classes),
      features,
      input: JSON.stringify({ channels, height, width, interpolation, cropPct, pixelRange }),
      steps: JSON.stringify(steps),
    });
  });
}

const transformers = { StandardScaler, MinMaxScaler };
const classifiers = { LogisticRegression, LinearSVC, KNeighborsClassifier };

/** Reads what `saveClassical` wrote; the caller disposes the pipeline. @throws ThawError where it is something else. */
export function loadClassical(path: string): ClassicalModelFile {
  const { tensors, metadata } = loadModel(path);
  const json = (key: string): unknown => {
    const text = metadata[key];
    if (text === undefined) {
      throw new ThawError(`${path}: its metadata has no ${key}`, {
        hint: "the file is not that of a classical model that `thaw train` wrote",
      });
    }
    return parseJson(text);
  };
  const steps = json("steps") as SavedStep[];
  const state = ({ step, ...rest }: SavedStep): EstimatorState => {
    const own = [...tensors].filter(([key]) => key.startsWith(`${step}.`));
    const entries = own.map(([key, data]) => [key.slice(step.length + 1), data] as const);
    return {
      ...rest,
      tensors: new Map(entries.map(([key, data]) => [key, borrowTensorData(data)])),
    };
  };
  const pick = <T>(known: Record<string, T>, { estimator }: SavedStep): T => {
    const found = Object.hasOwn(known, estimator) ? known[estimator] : undefined;
    if (found === undefined) throw new ThawError(`${path}: it has a step ${estimator}`);
    return found;
  };
  const last = steps.at(-1);
  if (last === undefined) throw new ThawError(`${path}: it has no steps`);
  const pipeline = scope(
    () =>
      new Pipeline({
        transformers: steps
          .slice(0, -1)
          .map((saved) => [saved.step, pick(transformers, saved).from(state(saved))]),
        classifier: [last.step, pick(classifiers, last).from(state(last))],
      }),
  );
  return {
    pipeline,
    classes: json("classes") as string[],
    features: metadata["features"] ?? "pixels",
    input: json("input") as ClassicalModelFile["input"],
  };
}
