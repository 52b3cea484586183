import { ExitCode } from "../../errors.ts";
import { checkSanity, type SanityCheck } from "../../train/index.ts";
import type { CliCommand } from "../command.ts";
import { colors, printJson, say } from "../output.ts";
import { counter, note } from "../progress.ts";
import { addTrainFlags, type ConfiguredOptions, openConfigured } from "../train-flags.ts";
import { weightsTable } from "../weights-table.ts";

export const sanity: CliCommand = {
  register(command) {
    addTrainFlags(command);
    command.action(async (options: ConfiguredOptions) => {
      const { config, data, openWeights } = await openConfigured(options);
      const progress = counter("learning one batch by heart, image");
      const report = await checkSanity(config, data, {
        openWeights,
        onNote: note,
        onWeights: (load, from) => say(weightsTable(load, from)),
        onStep: ({ correct, of }) => progress.draw(correct, of),
      });
      progress.clear();
      if (options.json) printJson(report);
      else for (const check of report.checks) say(describe(check));
      if (!report.ok) process.exitCode = ExitCode.failed;
    });
  },
};

function describe({ check, status, detail, hint }: SanityCheck): string {
  const sign = { passed: colors.green("✓"), failed: colors.red("✗"), skipped: "–" }[status];
  const line = `${sign} ${check.padEnd(13)} ${status === "skipped" ? "skipped: " : ""}${detail}`;
  return hint === undefined ? line : `${line}\n  ${colors.dim("→")} ${hint}`;
}
