import type { ImageSet } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { ThawError } from "../errors.ts";
import { type Predictions, predictions } from "../metrics/index.ts";
import type { Classifier, ComputeChoice } from "../models/index.ts";
import { predictProbabilities } from "../models/predict.ts";
import { predictViews, type Tta } from "./views.ts";

const BATCH = 256;

/** A model and what it needs to be understood. */
export interface Judged {
  readonly model: Classifier;
  /** Names in the order of the outputs. */
  readonly classes: readonly string[];
  readonly input: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/**
 * What a model says of images. Labels are matched by class name, never by position: folders of another order or with a
 * class less mean the same classes. `name` is that of the data; with `tta` several views of each image are judged.
 * @throws ThawError where the images' classes are not the model's.
 */
export async function judge(
  { model, classes, input }: Judged,
  { name, set }: { readonly name: string; readonly set: ImageSet },
  compute: ComputeChoice,
  tta?: Tta,
): Promise<Predictions> {
  const unknown = set.classes.filter((label) => !classes.includes(label));
  if (unknown.length > 0) {
    throw new ThawError(`${name} has classes that the model does not know: ${unknown.join(", ")}`, {
      hint: `the model's classes are ${classes.join(", ")}`,
    });
  }
  const labels = Int32Array.from(set.labels, (label) => classes.indexOf(set.classes[label]!));
  const { mean, std } = input;
  const plan = { mean, std, memoryFormat: compute.memoryFormat, seed: 0, batchSize: BATCH };
  await using loader = new Loader(set, plan);
  const batches = loader.epoch(1);
  const probabilities = await (tta === undefined
    ? predictProbabilities(model, batches, set.count, compute)
    : predictViews(model, batches, set.count, compute, { tta, input }));
  return predictions(probabilities, labels, classes.length);
}
