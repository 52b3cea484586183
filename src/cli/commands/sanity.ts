import { ExitCode } from "../../errors.ts";
import { checkSanity } from "../../train/index.ts";
import type { CliCommand } from "../command.ts";
import { Interrupt } from "../interrupt.ts";
import { printJson, say } from "../output.ts";
import { counter, note } from "../progress.ts";
import { describeCheck } from "../sanity-check.ts";
import { addTrainFlags, type ConfiguredOptions, openConfigured } from "../train-flags.ts";
import { weightsTable } from "../weights-table.ts";

export const sanity: CliCommand = {
  register(command) {
    addTrainFlags(command);
    command.action(async (options: ConfiguredOptions) => {
      const { config, data, openWeights } = await openConfigured(options);
      const progress = counter("learning one batch by heart, image");
      using interrupt = new Interrupt("stopping");
      const report = await checkSanity(config, data, {
        openWeights,
        signal: interrupt.signal,
        onNote: note,
        onWeights: (load, from) => say(weightsTable(load, from)),
        onStep: ({ correct, of }) => progress.draw(correct, of),
      });
      progress.clear();
      if (options.json) printJson(report);
      else for (const check of report.checks) say(describeCheck(check));
      if (!report.ok) process.exitCode = ExitCode.failed;
    });
  },
};
