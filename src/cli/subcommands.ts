import type { Command } from "commander";
import { ExitCode, nearest, UsageError } from "../errors.ts";
import type { CliCommand } from "./command.ts";

/** Commands below a command, by name; what they compute with is loaded when they run. */
export type Subcommands = Readonly<
  Record<string, { readonly summary: string; readonly command: CliCommand }>
>;

/** `thaw <noun> <subcommand>`. @throws UsageError for an unknown one, with the nearest. */
export function registerSubcommands(
  command: Command,
  noun: string,
  subcommands: Subcommands,
): void {
  command
    .usage("<command> [options]")
    .argument("[command]")
    .allowExcessArguments()
    .action(() => {
      const wrong = command.args[0];
      if (wrong !== undefined) throw unknown(noun, wrong, subcommands);
      command.outputHelp({ error: true });
      process.exitCode = ExitCode.usage;
    });
  for (const [name, { summary, command: sub }] of Object.entries(subcommands)) {
    sub.register(command.command(name).description(summary).allowExcessArguments(false));
  }
}

function unknown(noun: string, name: string, subcommands: Subcommands): UsageError {
  const near = nearest(name, Object.keys(subcommands));
  return new UsageError(`unknown command "${noun} ${name}"`, {
    hint: near
      ? `did you mean \`thaw ${noun} ${near}\`?`
      : `\`thaw ${noun} --help\` lists the commands`,
  });
}
