import { classFinder, unknownClasses } from "../data/class-names.ts";
import type { SplitSet } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { predictions } from "../metrics/index.ts";
import { scope, type Tensor } from "../tensor/index.ts";
import type { ClassicalModelFile } from "./classical-model.ts";
import { type TestResult, writeResults } from "./results.ts";

/**
 * What a classical model says of images, of which `features` are; written into the run's folder. Labels are matched by
 * class name. Without a loss where the model's confidence is no probability.
 * @throws ThawError where the images' classes are not the model's.
 */
export function judgeClassical(
  dir: string,
  { pipeline, classes }: Pick<ClassicalModelFile, "pipeline" | "classes">,
  data: { readonly name: string; readonly set: SplitSet; readonly features: Tensor },
): TestResult {
  const { name, set, features } = data;
  const unknown = unknownClasses(set.classes, classes);
  if (unknown.length > 0) {
    throw new ThawError(`${name} has classes that the model does not know: ${unknown.join(", ")}`, {
      hint: `the model's classes are ${classes.join(", ")}`,
    });
  }
  const own = set.classes.map(classFinder(classes));
  const labels = Int32Array.from(set.labels, (label) => own[label]!);
  const confidence = scope(() => {
    const given = pipeline.confidence(features);
    return given.dtype === "float32" ? given.toArray("float32") : given.toArray("float64");
  });
  const probabilities = new Float32Array(set.count * classes.length);
  const known = pipeline.classes;
  for (let row = 0; row < set.count; row++) {
    known.forEach((label, column) => {
      probabilities[row * classes.length + label] = confidence[row * known.length + column]!;
    });
  }
  const judged = predictions(probabilities, labels, classes.length);
  const isProbability = pipeline.steps.classifier[1].name !== "LinearSVC";
  return writeResults(dir, { predictions: judged, classes, set, isProbability });
}
