import { join } from "node:path";
import { ExitCode, UsageError } from "../../errors.ts";
import { parseModelName } from "../../models/index.ts";
import { TrainingProfile } from "../../profile/index.ts";
import { completePictures, drawRun, writeProfileReport } from "../../report/index.ts";
import type { TrainConfig } from "../../run/config.ts";
import { overridesFromFlags } from "../../run/config-flags.ts";
import { loadConfig } from "../../run/config-load.ts";
import { macroF1Text } from "../../run/macro-f1.ts";
import { findRun } from "../../run/record.ts";
import { resumedConfig } from "../../run/resumed-config.ts";
import type { Summary } from "../../run/summary.ts";
import { checkTracking } from "../../run/track/open.ts";
import { train as trainModel } from "../../train/index.ts";
import { asksForClassical, trainClassically, trainFlags, unusableLine } from "../classical.ts";
import type { CliCommand } from "../command.ts";
import { addConfigFlags } from "../config-flags.ts";
import { openConfiguredData } from "../dataset.ts";
import { ensureEngine } from "../engine.ts";
import { refuseUnused } from "../flag-rules.ts";
import { Interrupt } from "../interrupt.ts";
import { printJson, say } from "../output.ts";
import { duration, note, percent, trainingProgress } from "../progress.ts";
import { openDataOfRun, skipMissingHelp } from "../run-data.ts";
import { weightsOpener } from "../train-flags.ts";
import { mirrorHelp, offlineHelp, type WeightsFlags } from "../weights.ts";
import { wholeNumber } from "../whole-number.ts";

interface Options extends Record<string, unknown>, WeightsFlags {
  config?: string;
  resume?: string;
  overwrite?: true;
  skipMissing?: true;
  profile?: true | number;
  json?: true;
}

export const train: CliCommand = {
  register(command) {
    command
      .option("--config <file>", "YAML or JSON file with any of the keys below; flags win over it")
      .option(
        "--resume <run>",
        "resume an interrupted run with its own config, or a finished run with more --epochs",
      )
      .option("--skip-missing", `with --resume: ${skipMissingHelp}`)
      .option("--overwrite", "replace a run of the same name")
      .option(
        "--profile [steps]",
        "measure so many of its steps (default 20): thaw profile",
        wholeNumber("--profile", 1),
      )
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--offline", offlineHelp)
      .option("--json", "print the summary as JSON");
    addConfigFlags(command, trainFlags());
    refuseUnused(command, [
      {
        flags: ["config", "overwrite"],
        counts: ({ resume }) => resume === undefined,
        goes: "cannot be combined with --resume: the run is kept, with its own config",
      },
      {
        flags: ["skipMissing"],
        counts: ({ resume }) => resume !== undefined,
        goes: "requires --resume: a new run uses the images that are there",
      },
    ]);
    command.action(async (options: Options) => {
      if (asksForClassical(options)) {
        refuseProfile(options);
        return trainClassically(options);
      }
      const config = resolve(options);
      // Before anything is compiled or fetched: a slip of the pen is told at once.
      parseModelName(config.model);
      checkTracking(config, process.env);
      const openWeights = weightsOpener(options);
      const weights = options.resume === undefined ? await openWeights(config) : undefined;
      await ensureEngine();
      const data =
        options.resume === undefined
          ? await openConfiguredData(config, options.mirror)
          : await openDataOfRun(join(config.out, config.name!), {
              ...(options.mirror !== undefined && { mirror: options.mirror }),
              ...(options.skipMissing && { skipMissing: true }),
            });
      using interrupt = new Interrupt();
      const progress = trainingProgress();
      const profile = options.profile === undefined ? undefined : profileOf(options.profile);
      using _finished = { [Symbol.dispose]: () => profile?.finish() };
      const { run, summary } = await trainModel(config, data, {
        ...progress,
        onStart: (info) => {
          progress.onStart?.(info);
          profile?.describe({ ...info, model: config.model, data: data.name });
        },
        watch: profile,
        resume: options.resume !== undefined,
        overwrite: options.overwrite === true,
        openWeights: async (asked) => weights ?? openWeights(asked),
        signal: interrupt.signal,
        pictures: drawRun,
      });
      if (options.resume !== undefined) {
        await completePictures(run.dir, { openData: async () => data, onNote: note });
      }
      if (profile?.finish()) await writeProfileReport(run.dir);
      else if (profile !== undefined) note("no profile: the run had too few steps");
      if (options.json) printJson(summary);
      else say(describe(summary, run.dir));
      if (summary.status === "interrupted") process.exitCode = ExitCode.interrupted;
      if (summary.status === "preempted") process.exitCode = ExitCode.preempted;
    });
  },
};

/** Steps that are timed, where nothing else is said, and those after them that are recorded. */
const PROFILED = 20;
const RECORDED = 3;

function profileOf(steps: true | number): TrainingProfile {
  const timed = steps === true ? PROFILED : steps;
  const window = { warmup: 3, timed, seconds: Number.POSITIVE_INFINITY, traced: RECORDED };
  return new TrainingProfile(window);
}

function refuseProfile({ profile }: Options): void {
  if (profile === undefined) return;
  throw new UsageError("--profile: a classical model is trained in one go, without steps", {
    hint: "leave --profile out",
  });
}

function resolve({ config, resume, ...options }: Options): TrainConfig {
  const overrides = overridesFromFlags(options);
  if (resume === undefined) return loadConfig(config, overrides);
  const dir = findRun(resume, (overrides["out"] as string | undefined) ?? "runs");
  return resumedConfig(dir, overrides);
}

function describe(summary: Summary, dir: string): string {
  const { status, test, seconds, best, reason, leftOut, unusable } = summary;
  if (status === "interrupted" || status === "preempted") {
    return `${reason}; go on with: thaw train --resume ${dir}`;
  }
  const why = reason === undefined ? "" : ` (${reason})`;
  const interval = test?.accuracy95.map((bound) => (100 * bound).toFixed(2)).join(" to ");
  return [
    `best epoch ${best?.epoch}${why}, ${duration(seconds.train)} of training`,
    `test accuracy ${percent(test?.accuracy ?? 0)} (95 % interval ${interval} %), macro-F1 ${test && macroF1Text(test)}, ${test?.n} images`,
    ...(leftOut === undefined
      ? []
      : [
          `left out because they are missing or have changed: ${leftOut.train} training, ${leftOut.val} validation and ${leftOut.test} test images`,
        ]),
    ...(unusable === undefined ? [] : [unusableLine(unusable)]),
    `everything is in ${dir}`,
  ].join("\n");
}
