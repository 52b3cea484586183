import { ExitCode, nearest, UsageError } from "../../errors.ts";
import type { CliCommand } from "../command.ts";
import { info } from "./data/info.ts";
import { prepare } from "./data/prepare.ts";

/** The commands below `thaw data`; what they compute with is loaded when they run. */
const subcommands: Readonly<Record<string, { summary: string; command: CliCommand }>> = {
  prepare: {
    summary: "check images, split them and build a folder to train on",
    command: prepare,
  },
  info: {
    summary: "say what is in a data set: counts, sizes, duplicates, leaks between splits",
    command: info,
  },
};

export const data: CliCommand = {
  register(command) {
    command
      .usage("<command> [options]")
      .argument("[command]")
      .allowExcessArguments()
      .action(() => {
        const wrong = command.args[0];
        if (wrong !== undefined) throw unknown(wrong);
        command.outputHelp({ error: true });
        process.exitCode = ExitCode.usage;
      });
    for (const [name, { summary, command: sub }] of Object.entries(subcommands)) {
      sub.register(command.command(name).description(summary).allowExcessArguments(false));
    }
  },
};

function unknown(name: string): UsageError {
  const near = nearest(name, Object.keys(subcommands));
  return new UsageError(`unknown command "data ${name}"`, {
    hint: near ? `did you mean \`thaw data ${near}\`?` : "`thaw data --help` lists the commands",
  });
}
