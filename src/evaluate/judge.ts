import { classFinder, unknownClasses } from "../data/class-names.ts";
import { sideBeforeCrop } from "../data/files/fit.ts";
import type { SplitSet } from "../data/imageset.ts";
import { type CropPlace, cropPlaces } from "../data/transforms/crops.ts";
import { ThawError } from "../errors.ts";
import { type Predictions, predictions } from "../metrics/index.ts";
import type { Classifier, ComputeChoice } from "../models/index.ts";
import { predictProbabilities } from "../models/predict.ts";
import type { Tta } from "../run/evaluation.ts";
import { evaluationLoader, type NetworkInput } from "../run/input.ts";
import { predictViews } from "./views.ts";

/** A model and what it needs to be understood. */
export interface Judged {
  readonly model: Classifier;
  /** Names in the order of the outputs. */
  readonly classes: readonly string[];
  readonly input: NetworkInput;
}

export interface JudgeOptions {
  /** Folder of what is kept between runs; default Thaw's cache. */
  readonly cache?: string | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  /** Aborted: ends with a StoppedError before the next batch. */
  readonly signal?: AbortSignal | undefined;
  /** Several views of each image are judged, and their probabilities averaged. */
  readonly tta?: Tta | undefined;
}

/**
 * What a model says of images. Labels are matched by class name, never by position: folders of another order or with a
 * class less mean the same classes. `name` is that of the data.
 * @throws ThawError where the images' classes are not the model's, or it cannot see images of their size.
 */
export async function judge(
  judged: Judged,
  { name, set }: { readonly name: string; readonly set: SplitSet },
  compute: ComputeChoice,
  options: JudgeOptions = {},
): Promise<Predictions> {
  const { classes } = judged;
  checkClasses(name, set.classes, classes);
  const own = set.classes.map(classFinder(classes));
  const labels = Int32Array.from(set.labels, (label) => own[label]!);
  const probabilities = await predict(judged, set, compute, options);
  refuseNaN(probabilities, set.count, compute);
  return predictions(probabilities, labels, classes.length);
}

async function predict(
  { model, input }: Judged,
  set: SplitSet,
  compute: ComputeChoice,
  { tta, ...options }: JudgeOptions,
): Promise<Float32Array> {
  const { memoryFormat } = compute;
  const of = async (place: CropPlace, views: Tta | undefined): Promise<Float32Array> => {
    await using loader = evaluationLoader(set, input, { memoryFormat, place, ...options });
    const batches = loader.epoch(1);
    return await (views === undefined
      ? predictProbabilities(model, batches, set.count, compute)
      : predictViews(model, batches, set.count, compute, { tta: views, input }));
  };
  if (tta !== "ten-crop" || !leavesRoom(input)) return of("center", tta);
  // A pass for each place: resized pictures of several shapes are no batch.
  const means: Float32Array[] = [];
  for (const place of cropPlaces) means.push(await of(place, "flip"));
  const mean = (i: number) => means.reduce((sum, part) => sum + part[i]!, 0) / means.length;
  return means[0]!.map((_, i) => mean(i));
}

/** @throws ThawError: of NaN no class is the likeliest, and every figure would be wrong. */
function refuseNaN(
  probabilities: Float32Array,
  count: number,
  { precision }: Pick<ComputeChoice, "precision">,
): void {
  const width = probabilities.length / count;
  let images = 0;
  for (let row = 0; row < count; row++) if (Number.isNaN(probabilities[row * width])) images++;
  if (images === 0) return;
  throw new ThawError(`the model gives NaN for ${images} of ${count} images in ${precision}`, {
    hint:
      precision === "fp32"
        ? "its weights are too large, or the images are not normalised as it expects: check --mean and --std"
        : "its values overflow: use --precision fp32",
  });
}

/** Is a resized image larger than its crop on every side? */
function leavesRoom({ height, width, cropPct }: NetworkInput): boolean {
  const size = [height, width] as const;
  return cropPct !== undefined && sideBeforeCrop({ size }, cropPct) > Math.min(...size);
}

/** @throws ThawError where the data has classes that the model does not know. */
export function checkClasses(
  name: string,
  given: readonly string[],
  known: readonly string[],
): void {
  const unknown = unknownClasses(given, known);
  if (unknown.length === 0) return;
  throw new ThawError(`${name} has classes that the model does not know: ${unknown.join(", ")}`, {
    hint: `the model's classes are ${known.join(", ")}`,
  });
}
