import { classFinder, unknownClasses } from "../data/class-names.ts";
import type { SplitSet } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { type Predictions, predictions } from "../metrics/index.ts";
import { inTurns } from "../platform/stop.ts";
import type { Tensor } from "../tensor/index.ts";
import type { ClassicalModelFile } from "./classical-model.ts";
import { type TestResult, writeResults } from "./results.ts";

interface Judged {
  readonly name: string;
  readonly set: SplitSet;
  /** Of the set's images, a row each. */
  readonly features: Tensor;
}

/** `classicalPredictions`, written into the run's folder. */
export async function judgeClassical(
  dir: string,
  model: Pick<ClassicalModelFile, "pipeline" | "classes">,
  data: Judged,
  signal?: AbortSignal,
): Promise<TestResult> {
  const { classes } = model;
  const predicted = await classicalPredictions(model, data, signal);
  return writeResults(dir, { ...predicted, classes, set: data.set });
}

/**
 * What a classical model says of images. Labels are matched by class name. Without a loss where the model's confidence is
 * no probability.
 * @throws ThawError where the images' classes are not the model's; StoppedError where the signal was aborted.
 */
export async function classicalPredictions(
  { pipeline, classes }: Pick<ClassicalModelFile, "pipeline" | "classes">,
  { name, set, features }: Judged,
  signal?: AbortSignal,
): Promise<{ readonly predictions: Predictions; readonly isProbability: boolean }> {
  const unknown = unknownClasses(set.classes, classes);
  if (unknown.length > 0) {
    throw new ThawError(`${name} has classes that the model does not know: ${unknown.join(", ")}`, {
      hint: `the model's classes are ${classes.join(", ")}`,
    });
  }
  const own = set.classes.map(classFinder(classes));
  const labels = Int32Array.from(set.labels, (label) => own[label]!);
  using given = await inTurns(pipeline.confidenceSteps(features), signal);
  const confidence =
    given.dtype === "float32" ? given.toArray("float32") : given.toArray("float64");
  const probabilities = new Float32Array(set.count * classes.length);
  const known = pipeline.classes;
  for (let row = 0; row < set.count; row++) {
    known.forEach((label, column) => {
      probabilities[row * classes.length + label] = confidence[row * known.length + column]!;
    });
  }
  return {
    predictions: predictions(probabilities, labels, classes.length),
    isProbability: pipeline.steps.classifier[1].name !== "LinearSVC",
  };
}
