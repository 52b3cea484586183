import { type DatasetSplits, inMemory } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import { ThawError } from "../errors.ts";
import { predictions } from "../metrics/index.ts";
import type { ComputeChoice } from "../models/index.ts";
import { predictProbabilities } from "../models/predict.ts";
import { loadBestModel } from "../run/load-model.ts";
import { type TestResult, writeResults } from "../run/results.ts";

const BATCH = 256;

/**
 * Judges a run's best model on the test split and writes predictions, report and confusion matrix into
 * the run's folder.
 * @throws ThawError where the data's classes are not the model's.
 */
export async function evaluateRun(
  dir: string,
  data: DatasetSplits,
  compute: ComputeChoice,
): Promise<TestResult> {
  const { model, classes, input } = loadBestModel(dir, compute);
  using _owned = model;
  const { test } = inMemory(data);
  const unknown = test.classes.filter((name) => !classes.includes(name));
  if (unknown.length > 0) {
    throw new ThawError(
      `${data.name} has classes that the model does not know: ${unknown.join(", ")}`,
      {
        hint: `the model's classes are ${classes.join(", ")}`,
      },
    );
  }
  // By name, never by position: folders of another order or with a class less mean the same classes.
  const labels = Int32Array.from(test.labels, (label) => classes.indexOf(test.classes[label]!));
  const { mean, std } = input;
  const plan = { mean, std, memoryFormat: compute.memoryFormat, seed: 0, batchSize: BATCH };
  await using loader = new Loader(test, plan);
  const probabilities = await predictProbabilities(model, loader.epoch(1), test.count, compute);
  return writeResults(dir, {
    predictions: predictions(probabilities, labels, classes.length),
    classes,
  });
}
