import type { Command } from "commander";
import { ExitCode, nearest, UsageError } from "../errors.ts";
import type { CliCommand } from "./command.ts";

/** Commands below a command, by name; what they compute with is loaded when they run. */
export type Subcommands = Readonly<
  Record<
    string,
    {
      readonly summary: string;
      /** A function where its flags alone take long to load: it is called where the command is given. */
      readonly command: CliCommand | (() => Promise<CliCommand>);
    }
  >
>;

/** `thaw <noun> <subcommand>`. @throws UsageError for an unknown one, with the nearest. */
export async function registerSubcommands(
  command: Command,
  noun: string,
  subcommands: Subcommands,
  words: readonly string[],
): Promise<void> {
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
    const own = command.command(name).description(summary).allowExcessArguments(false);
    if (typeof sub !== "function") await sub.register(own, words);
    else if (words.includes(name)) await (await sub()).register(own, words);
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
