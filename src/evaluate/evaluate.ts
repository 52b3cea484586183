import { type DatasetSplits, inMemory } from "../data/imageset.ts";
import { type ComputeChoice, freeze } from "../models/index.ts";
import { loadBestModel } from "../run/load-model.ts";
import { type TestResult, writeResults } from "../run/results.ts";
import { judge } from "./judge.ts";

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
  const best = loadBestModel(dir, compute);
  using _owned = best.model;
  const { channels, height, width } = best.input;
  freeze(best.model, [channels, height, width], compute);
  const predicted = await judge(best, { name: data.name, set: inMemory(data).test }, compute);
  return writeResults(dir, { predictions: predicted, classes: best.classes });
}
