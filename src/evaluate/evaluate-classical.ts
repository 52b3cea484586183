import { existsSync, mkdirSync } from "node:fs";
import type { DatasetSplits } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import type { ComputeChoice } from "../models/index.ts";
import { loadClassical } from "../run/classical-model.ts";
import { openFeatures } from "../run/features.ts";
import { judgeClassical } from "../run/judge-classical.ts";
import { readRun } from "../run/read.ts";
import { RunRecord } from "../run/record.ts";
import type { TestResult } from "../run/results.ts";
import type { WeightsPlaces } from "../run/weights.ts";
import { folderBeside, writeBeside } from "./beside.ts";
import type { EvaluateOptions } from "./evaluate.ts";

/**
 * Judges a classical run's model on the test split, as `evaluateRun` does a network's.
 * @throws ThawError where the data's classes or images are not the model's.
 */
export async function evaluateClassicalRun(
  dir: string,
  data: DatasetSplits,
  compute: ComputeChoice,
  places: WeightsPlaces = {},
  { pictures, ...options }: EvaluateOptions = {},
): Promise<TestResult> {
  const run = new RunRecord(dir);
  if (!existsSync(run.best)) throw new ThawError(`${run.name} has no model yet (${run.best})`);
  const model = loadClassical(run.best);
  using _owned = model.pipeline;
  const { test: set } = data;
  const { input } = model;
  using source = await openFeatures(model.features, set, { compute, places, input, ...options });
  using features = await source.extract(set);
  const beside = folderBeside(dir, data);
  if (beside !== undefined) mkdirSync(beside, { recursive: true });
  const judged = { name: data.name, set, features };
  const result = await judgeClassical(beside ?? dir, model, judged, options.signal);
  if (beside !== undefined) {
    options.onNote?.(writeBeside(beside, dir, data, result));
    return result;
  }
  const { summary } = readRun(dir);
  if (summary !== undefined) run.writeSummary({ ...summary, test: result });
  await pictures?.({ run, test: set, input });
  return result;
}
