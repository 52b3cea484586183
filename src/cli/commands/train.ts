import { basename, dirname, join } from "node:path";
import { ExitCode } from "../../errors.ts";
import { ensureNative } from "../../libtorch/index.ts";
import { parseModelName } from "../../models/index.ts";
import { drawRun } from "../../report/index.ts";
import type { TrainConfig } from "../../run/config.ts";
import { overridesFromFlags } from "../../run/config-flags.ts";
import { loadConfig } from "../../run/config-load.ts";
import { findRun } from "../../run/record.ts";
import type { Summary } from "../../run/summary.ts";
import { checkTracking } from "../../run/track/open.ts";
import { train as trainModel } from "../../train/index.ts";
import { asksForClassical, trainClassically, trainFlags } from "../classical.ts";
import type { CliCommand } from "../command.ts";
import { addConfigFlags } from "../config-flags.ts";
import { openConfiguredData } from "../dataset.ts";
import { Interrupt } from "../interrupt.ts";
import { printJson, say } from "../output.ts";
import { duration, percent, trainingProgress } from "../progress.ts";
import { weightsOpener } from "../train-flags.ts";
import { mirrorHelp, offlineHelp, type WeightsFlags } from "../weights.ts";

interface Options extends Record<string, unknown>, WeightsFlags {
  config?: string;
  resume?: string;
  overwrite?: true;
  json?: true;
}

export const train: CliCommand = {
  register(command) {
    command
      .option("--config <file>", "YAML or JSON file with any of the keys below; flags win over it")
      .option("--resume <run>", "go on with a run that was interrupted, with its own config")
      .option("--overwrite", "replace a run of the same name")
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--offline", offlineHelp)
      .option("--json", "print the summary as JSON");
    addConfigFlags(command, trainFlags());
    command.action(async (options: Options) => {
      if (asksForClassical(options)) return trainClassically(options);
      const config = resolve(options);
      // Before anything is compiled or fetched: a slip of the pen is told at once.
      parseModelName(config.model);
      checkTracking(config, process.env);
      const openWeights = weightsOpener(options);
      const weights = options.resume === undefined ? await openWeights(config) : undefined;
      await ensureNative();
      const data = await openConfiguredData(config, options.mirror);
      using interrupt = new Interrupt();
      const { run, summary } = await trainModel(config, data, {
        ...trainingProgress(),
        resume: options.resume !== undefined,
        overwrite: options.overwrite === true,
        openWeights: async (asked) => weights ?? openWeights(asked),
        stopRequested: () => interrupt.requested,
        pictures: drawRun,
      });
      if (options.json) printJson(summary);
      else say(describe(summary, run.dir));
      if (summary.status === "interrupted") process.exitCode = ExitCode.interrupted;
      if (summary.status === "preempted") process.exitCode = ExitCode.preempted;
    });
  },
};

function resolve({ config, resume, ...options }: Options): TrainConfig {
  const overrides = overridesFromFlags(options);
  if (resume === undefined) return loadConfig(config, overrides);
  const dir = findRun(resume, (overrides["out"] as string | undefined) ?? "runs");
  const place = { out: dirname(dir), name: basename(dir) };
  return loadConfig(join(dir, "config.json"), { ...overrides, ...place });
}

function describe({ status, test, seconds, best, reason }: Summary, dir: string): string {
  if (status === "interrupted" || status === "preempted") {
    return `${reason}; go on with: thaw train --resume ${dir}`;
  }
  const why = reason === undefined ? "" : ` (${reason})`;
  const interval = test?.accuracy95.map((bound) => (100 * bound).toFixed(2)).join(" to ");
  return [
    `best epoch ${best?.epoch}${why}, ${duration(seconds.train)} of training`,
    `test accuracy ${percent(test?.accuracy ?? 0)} (95 % interval ${interval} %), macro-F1 ${test?.macroF1.toFixed(4)}, ${test?.n} images`,
    `everything is in ${dir}`,
  ].join("\n");
}
