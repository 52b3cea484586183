import type { Command } from "commander";

/**
 * One command of the CLI, in a file of its own under commands/. `register` adds its options,
 * arguments and action; name and summary stand in the table (commands.ts), so that `thaw --help`
 * loads no command. An action that did not succeed throws, or sets process.exitCode.
 */
export interface CliCommand {
  /** @param words what was given, without flags: which subcommand may be told from it. */
  register(command: Command, words: readonly string[]): void | Promise<void>;
}
