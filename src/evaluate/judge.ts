import type { SplitSet } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { type Predictions, predictions } from "../metrics/index.ts";
import type { Classifier, ComputeChoice } from "../models/index.ts";
import { predictProbabilities } from "../models/predict.ts";
import { evaluationLoader, type NetworkInput } from "../run/input.ts";

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
}

/**
 * What a model says of images. Labels are matched by class name, never by position: folders of another order or with a
 * class less mean the same classes. `name` is that of the data.
 * @throws ThawError where the images' classes are not the model's, or it cannot see images of their size.
 */
export async function judge(
  { model, classes, input }: Judged,
  { name, set }: { readonly name: string; readonly set: SplitSet },
  compute: ComputeChoice,
  options: JudgeOptions = {},
): Promise<Predictions> {
  checkClasses(name, set.classes, classes);
  const labels = Int32Array.from(set.labels, (label) => classes.indexOf(set.classes[label]!));
  const { memoryFormat } = compute;
  await using loader = evaluationLoader(set, input, { memoryFormat, ...options });
  const probabilities = await predictProbabilities(model, loader.epoch(1), set.count, compute);
  return predictions(probabilities, labels, classes.length);
}

/** @throws ThawError where the data has classes that the model does not know. */
export function checkClasses(
  name: string,
  given: readonly string[],
  known: readonly string[],
): void {
  const unknown = given.filter((label) => !known.includes(label));
  if (unknown.length === 0) return;
  throw new ThawError(`${name} has classes that the model does not know: ${unknown.join(", ")}`, {
    hint: `the model's classes are ${known.join(", ")}`,
  });
}
