import { classFinder } from "../../data/class-names.ts";
import { ThawError } from "../../errors.ts";
import { noGrad, ops, scope, Tensor } from "../../tensor/index.ts";
import type { Classifier } from "../spec.ts";
import { adaptInputChannels } from "./input-channels.ts";
import { checkFramework, type Misfit, mismatch } from "./mismatch.ts";
import { isDerived, isOptional, type Placed, placeUnder } from "./prefix.ts";
import type { WeightsFile } from "./read.ts";
import type { TensorData } from "./safetensors.ts";
import { borrowTensorData } from "./tensors.ts";
import { firstUnusable } from "./unusable.ts";

/** A tensor that was changed to fit. */
export interface Adaptation {
  readonly name: string;
  /** Its shape in the file, and in the model. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** What was done, in words. */
  readonly how: string;
}

/** What became of a model's parameters and buffers, by name. */
export interface LoadReport {
  readonly loaded: readonly string[];
  readonly adapted: readonly Adaptation[];
  /** Left as the model was built: a head for other classes. */
  readonly reinitialized: readonly string[];
  /** What stands in the file before each name, as `model.`; mostly nothing. */
  readonly prefix: string;
  /** Names of the file that are not the network's, as a loss's: they were not used. */
  readonly leftOut: readonly string[];
}

export interface LoadOptions {
  /** Where the tensors come from, for messages. */
  readonly from?: string;
  /** The model's name in the registry, for messages. */
  readonly model?: string;
  /**
   * Where the file's head is for other classes, or there is none, leave the model's own as it was built. Without it that
   * is an error: load into a model of the file's classes, then call `replaceHead`.
   */
  readonly newHead?: boolean;
  /** What is known of the file: weights of another framework's layers would compute something else. */
  readonly file?: Partial<Pick<WeightsFile, "framework" | "leftOut">>;
  /** Names in the order of the outputs, where the file has them: rows of the head are then matched by name. */
  readonly classes?: { readonly file: readonly string[]; readonly model: readonly string[] };
}

/** What is to become of one of the model's tensors. */
type Step =
  | { readonly kind: "load" }
  | { readonly kind: "adapt"; readonly how: string; readonly tensor: Tensor }
  | { readonly kind: "reinitialize" };

/**
 * Copies weights into a model, converting their dtype. The model's names may stand under any one prefix, and what belongs
 * to none of its modules is left out. The first convolution is adapted to the images' channels as timm
 * does, position embeddings and the like by the model's own `adapt`, the rows of the head by class name.
 * @throws ThawError where anything but the head is missing, left over, or of a shape or dtype that cannot be adapted: it
 * says which known model the weights look like; where the model's names are found under several prefixes; and where a value
 * is NaN, infinite or far too large to compute with, by its tensor's name. Nothing is copied then.
 */
export function loadWeights(
  model: Classifier,
  file: ReadonlyMap<string, TensorData>,
  options: LoadOptions = {},
): LoadReport {
  checkFramework(model, options);
  return scope(() => {
    const own = model.stateDict();
    const placed = place(file, model, options.from);
    const { tensors, prefix } = placed;
    const steps = new Map<string, Step>();
    const misfit: Misfit = { missing: [], unexpected: [], shapes: [] };
    const headRows = rowsOfHead(options.classes);
    for (const [name, target] of own) {
      const step = stepFor(name, target, { model, tensors, options, headRows, own, misfit });
      if (step !== undefined) steps.set(name, step);
    }
    misfit.unexpected.push(
      ...[...tensors.keys()]
        .filter((key) => !own.has(key) && !isDerived(key))
        .map((key) => prefix + key),
    );
    if (misfit.missing.length > 0) misfit.unexpected.push(...placed.leftOut);
    if (misfit.missing.length + misfit.unexpected.length + misfit.shapes.length > 0) {
      throw mismatch(misfit, file, { ...options, prefix });
    }
    const values = [...steps].flatMap(([name, step]): [string, Tensor][] => {
      if (step.kind === "reinitialize") return [];
      return [[name, step.kind === "adapt" ? step.tensor : borrowTensorData(tensors.get(name)!)]];
    });
    refuseUnusable(values, options.from);
    noGrad(() => {
      for (const [name, value] of values) ops.copy_(own.get(name)!, value);
    });
    const { leftOut = [] } = options.file ?? {};
    return {
      ...report(steps, tensors, own),
      prefix,
      leftOut: [...leftOut, ...placed.leftOut],
    };
  });
}

/** How many classes the head in a file of a model's weights is for; undefined where it has none. */
export function outputsIn(
  file: ReadonlyMap<string, TensorData>,
  model: Classifier,
  from?: string,
): number | undefined {
  const head = [...model.stateDict()].find(([, tensor]) => tensor === model.head.weight)?.[0];
  return place(file, model, from).tensors.get(head ?? "")?.shape[0];
}

function place(
  file: ReadonlyMap<string, TensorData>,
  model: Classifier,
  from = "the weights",
): Placed<TensorData> {
  const own = model.stateDict();
  const head = [...own].filter(([, t]) => t === model.head.weight || t === model.head.bias);
  return placeUnder(file, own, new Set(head.map(([name]) => name)), from);
}

function refuseUnusable(
  values: readonly (readonly [string, Tensor])[],
  from = "the weights",
): void {
  const unusable = firstUnusable(values);
  if (unusable === undefined) return;
  const { name, what } = unusable;
  throw new ThawError(`${from}: ${name} has ${what} and cannot be used`, {
    hint: "the file is damaged, or comes from a run that diverged: use other weights, or an earlier checkpoint",
  });
}

interface StepContext {
  readonly model: Classifier;
  readonly tensors: ReadonlyMap<string, TensorData>;
  readonly options: LoadOptions;
  readonly headRows: HeadRows;
  readonly own: ReadonlyMap<string, Tensor>;
  readonly misfit: Misfit;
}

/** Undefined where there is nothing to do, or where what is wrong was added to `misfit`. */
function stepFor(name: string, target: Tensor, context: StepContext): Step | undefined {
  const { model, tensors, options, headRows, misfit } = context;
  const data = tensors.get(name);
  const isHead = target === model.head.weight || target === model.head.bias;
  if (data === undefined) {
    if (isHead && options.newHead) return { kind: "reinitialize" };
    if (!isOptional(name)) misfit.missing.push(name);
    return undefined;
  }
  const problem = {
    name,
    file: `${data.dtype} [${data.shape.join(", ")}]`,
    model: `${target.dtype} [${target.shape.join(", ")}]`,
    isHead,
  };
  if (target.dtype.includes("float") && !/F\d\d$/.test(data.dtype)) {
    misfit.shapes.push(problem);
    return undefined;
  }
  if (isHead && options.newHead && headRows === "other") return { kind: "reinitialize" };
  if (isHead && Array.isArray(headRows) && data.shape[0] === options.classes?.file.length) {
    return { kind: "adapt", how: "rows by class name", tensor: pickRows(data, headRows) };
  }
  if (sameShape(data.shape, target.shape)) return { kind: "load" };
  if (isHead && options.newHead && sameShape(data.shape.slice(1), target.shape.slice(1))) {
    return { kind: "reinitialize" };
  }
  const adapted = adapt(name, data, target, context);
  if (adapted === undefined) misfit.shapes.push(problem);
  return adapted;
}

function adapt(
  name: string,
  data: TensorData,
  target: Tensor,
  { model, own }: StepContext,
): Step | undefined {
  const firstConvolution = [...own].find(([, tensor]) => tensor.shape.length === 4)?.[0];
  const [out, channels = 0, ...kernel] = target.shape;
  const weight = borrowTensorData(data);
  if (
    name === firstConvolution &&
    sameShape([data.shape[0], ...data.shape.slice(2)], [out, ...kernel])
  ) {
    const adapted = adaptInputChannels(weight, channels);
    if (adapted !== undefined) return { kind: "adapt", ...adapted };
  }
  const tensor = model.adapt?.(name, weight);
  if (tensor === undefined || !sameShape(tensor.shape, target.shape)) return undefined;
  return { kind: "adapt", how: "resampled", tensor };
}

/** Rows of the file's head in the model's order; "same" order; "other" classes; "unnamed" where the file has no names. */
type HeadRows = "unnamed" | "same" | "other" | readonly number[];

function rowsOfHead(classes: LoadOptions["classes"]): HeadRows {
  if (classes === undefined) return "unnamed";
  const rows = classes.model.map(classFinder(classes.file));
  if (rows.includes(-1)) return "other";
  const isSame = rows.length === classes.file.length && rows.every((row, i) => row === i);
  return isSame ? "same" : rows;
}

function pickRows(data: TensorData, rows: readonly number[]): Tensor {
  const index = Tensor.from(BigInt64Array.from(rows, BigInt), [rows.length]);
  return ops.indexSelect(borrowTensorData(data), 0, index);
}

function report(
  steps: ReadonlyMap<string, Step>,
  tensors: ReadonlyMap<string, TensorData>,
  own: ReadonlyMap<string, Tensor>,
): Omit<LoadReport, "prefix" | "leftOut"> {
  const named = (kind: Step["kind"]) =>
    [...steps].filter(([, step]) => step.kind === kind).map(([name]) => name);
  return {
    loaded: named("load"),
    adapted: [...steps].flatMap(([name, step]) =>
      step.kind === "adapt"
        ? [{ name, from: tensors.get(name)!.shape, to: own.get(name)!.shape, how: step.how }]
        : [],
    ),
    reinitialized: named("reinitialize"),
  };
}

function sameShape(
  a: readonly (number | undefined)[],
  b: readonly (number | undefined)[],
): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
