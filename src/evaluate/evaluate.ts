import { mkdirSync } from "node:fs";
import type { DatasetSplits } from "../data/imageset.ts";
import { type ComputeChoice, freeze } from "../models/index.ts";
import { evaluationFit } from "../run/input.ts";
import type { JudgedRun } from "../run/judged-run.ts";
import { measureLatency } from "../run/latency.ts";
import { loadBestModel } from "../run/load-model.ts";
import { readRun } from "../run/read.ts";
import { RunRecord } from "../run/record.ts";
import { type TestResult, writeResults } from "../run/results.ts";
import { withRunLock } from "../run/run-lock.ts";
import { folderBeside, writeBeside } from "./beside.ts";
import { type JudgeOptions, judge } from "./judge.ts";

export interface EvaluateOptions extends JudgeOptions {
  /** Draws what the record says when the test set is judged. */
  readonly pictures?: (judged: JudgedRun) => Promise<void>;
}

/**
 * Judges a run's best model on the test split and writes predictions, report, confusion matrix and the
 * summary's `test` and latency into the run's folder; of other images than the run's own, into a folder inside it.
 * @throws ThawError where the data's classes or images are not the model's, or another process writes the run.
 */
export async function evaluateRun(
  dir: string,
  data: DatasetSplits,
  compute: ComputeChoice,
  { pictures, ...options }: EvaluateOptions = {},
): Promise<TestResult> {
  return withRunLock(dir, async () => {
    const best = loadBestModel(dir, compute);
    using _owned = best.model;
    const { channels, height, width } = best.input;
    // Before the first file is read.
    evaluationFit(best.input, data.test);
    freeze(best.model, [channels, height, width], compute);
    const predicted = await judge(best, { name: data.name, set: data.test }, compute, options);
    const run = new RunRecord(dir);
    const judged = { predictions: predicted, classes: best.classes, set: data.test };
    const beside = folderBeside(dir, data);
    if (beside !== undefined) {
      mkdirSync(beside, { recursive: true });
      const result = writeResults(beside, judged);
      options.onNote?.(writeBeside(beside, dir, data, result));
      return result;
    }
    const result = run.writeResults(judged);
    const { summary } = readRun(dir);
    const latency = measureLatency(best.model, best.input, compute);
    if (summary !== undefined) run.writeSummary({ ...summary, test: result, ...latency });
    await pictures?.({ run, test: data.test, input: best.input });
    return result;
  });
}
