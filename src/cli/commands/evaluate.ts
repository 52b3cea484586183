import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ExitCode, UsageError } from "../../errors.ts";
import { evaluateRun } from "../../evaluate/index.ts";
import { ensureNative } from "../../libtorch/index.ts";
import { chooseCompute } from "../../models/index.ts";
import { loadConfig } from "../../run/config-load.ts";
import { readRun } from "../../run/read.ts";
import { findRun } from "../../run/record.ts";
import type { CliCommand } from "../command.ts";
import { openConfiguredData } from "../dataset.ts";
import { printJson, say } from "../output.ts";
import { percent } from "../progress.ts";

interface Options {
  out: string;
  precision?: string;
  failUnder?: number;
  mirror?: string;
  json?: true;
}

export const evaluate: CliCommand = {
  register(command) {
    command
      .argument("<run>", "a run's folder, or its name")
      .option("--out <folder>", "folder of the runs", "runs")
      .option("--precision <name>", "auto, fp32 or bf16; default the run's own")
      .option("--fail-under <accuracy>", "exit with 3 where the accuracy is lower (0 to 1)", share)
      .option("--mirror <folder or url>", "where the original archives lie; default THAW_MIRROR")
      .option("--json", "print the result as JSON")
      .action(async (name: string, options: Options) => {
        const dir = findRun(name, options.out);
        const precision = options.precision === undefined ? {} : { precision: options.precision };
        const config = loadConfig(join(dir, "config.json"), precision);
        await ensureNative();
        const data = await openConfiguredData(config, options.mirror);
        const trainedOn = readRun(dir).environment["dataset"] as
          | { fingerprint?: string }
          | undefined;
        if (trainedOn?.fingerprint !== data.fingerprint) {
          say("note: the data is not what the run was trained on: its fingerprint differs");
        }
        const result = await evaluateRun(dir, data, chooseCompute(config));
        if (options.json) printJson({ run: dir, ...result });
        else {
          process.stdout.write(readFileSync(join(dir, "classification_report.txt"), "utf8"));
          const interval = result.accuracy95.map((bound) => (100 * bound).toFixed(2)).join(" to ");
          say(
            `accuracy ${percent(result.accuracy)} (95 % interval ${interval} %), ${result.n} images`,
          );
        }
        if (options.failUnder !== undefined && result.accuracy < options.failUnder) {
          say(`below the ${percent(options.failUnder)} asked for`);
          process.exitCode = ExitCode.gate;
        }
      });
  },
};

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) {
    throw new UsageError(`--fail-under: "${text}" given; allowed: a number from 0 to 1`);
  }
  return value;
}
