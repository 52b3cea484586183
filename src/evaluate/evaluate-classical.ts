import { existsSync } from "node:fs";
import type { DatasetSplits } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import type { ComputeChoice } from "../models/index.ts";
import { loadClassical } from "../run/classical-model.ts";
import { openFeatures } from "../run/features.ts";
import { judgeClassical } from "../run/judge-classical.ts";
import { RunRecord } from "../run/record.ts";
import type { TestResult } from "../run/results.ts";
import type { WeightsPlaces } from "../run/weights.ts";
import type { JudgeOptions } from "./judge.ts";

/**
 * Judges a classical run's model on the test split, as `evaluateRun` does a network's.
 * @throws ThawError where the data's classes or images are not the model's.
 */
export async function evaluateClassicalRun(
  dir: string,
  data: DatasetSplits,
  compute: ComputeChoice,
  places: WeightsPlaces = {},
  options: JudgeOptions = {},
): Promise<TestResult> {
  const { best, name } = new RunRecord(dir);
  if (!existsSync(best)) throw new ThawError(`${name} has no model yet (${best})`);
  const model = loadClassical(best);
  using _owned = model.pipeline;
  const { test: set } = data;
  const { input } = model;
  using source = await openFeatures(model.features, set, { compute, places, input, ...options });
  using features = await source.extract(set);
  return judgeClassical(dir, model, { name: data.name, set, features });
}
