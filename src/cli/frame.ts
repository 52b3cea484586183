import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { ExitCode, nearest, ThawError, UsageError } from "../errors.ts";
import { fileError } from "../platform/system-error.ts";
import { commands } from "./commands.ts";
import { colors, indented, say } from "./output.ts";

/** Parses a command line and runs it. Throws what the command throws, wrong usage as a UsageError. */
export async function run(args: readonly string[]): Promise<void> {
  const program = await buildProgram(args);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, args);
  }
}

/** Prints an error as `thaw: what`, then what to do; the stack only with --debug. Returns its exit code. */
export function reportError(thrown: unknown, debug: boolean): ExitCode {
  const error = fileError(thrown) ?? thrown;
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  say(`${colors.red("thaw:")} ${indented(message)}`);
  if (error instanceof ThawError) {
    if (error.hint !== undefined) say(`  ${colors.dim("→")} ${indented(error.hint)}`);
  } else if (!debug) {
    say(`  ${colors.dim("→")} run it again with --debug to see where this happened`);
  }
  if (debug && stack !== undefined) {
    say(stack);
    if (error instanceof Error && error.cause instanceof Error)
      say(`caused by ${error.cause.stack}`);
  }
  return error instanceof ThawError ? error.exitCode : ExitCode.failed;
}

async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("thaw")
    .description("Fine-tune and compare image classifiers.")
    .version(version())
    .option("--debug", "show stack traces")
    .exitOverride()
    // What commander would print as an error is thrown as well, and said by reportError.
    .configureOutput({ outputError: () => {} })
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .helpCommand("help [command]", "the same as --help")
    .action(() => {
      const wrong = program.args[0];
      if (wrong !== undefined) throw unknownCommand(wrong);
      program.outputHelp({ error: true });
      process.exitCode = ExitCode.usage;
    })
    .argument("[command]")
    .allowExcessArguments();
  program.usage("<command> [options]");
  const words = args.filter((arg) => !arg.startsWith("-"));
  const chosen = words[0] === "help" ? words[1] : words[0];
  if (words[0] === "help" && chosen !== undefined && !Object.hasOwn(commands, chosen)) {
    throw unknownCommand(chosen);
  }
  for (const [name, entry] of Object.entries(commands)) {
    const command = program.command(name).description(entry.summary).allowExcessArguments(false);
    if (name === chosen) await (await entry.load()).register(command, words);
  }
  return program;
}

function unknownCommand(name: string): UsageError {
  const near = nearest(name, Object.keys(commands));
  return new UsageError(`unknown command "${name}"`, {
    hint: near ? `did you mean \`thaw ${near}\`?` : "`thaw --help` lists the commands",
  });
}

/** `error: unknown option '--sed'\n(Did you mean --seed?)` → what, and what to do. */
function usageError(error: CommanderError, args: readonly string[]): UsageError {
  const [what = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const command = args.find((arg) => Object.hasOwn(commands, arg));
  const help = `\`thaw ${command === undefined ? "" : `${command} `}--help\` lists what there is`;
  const near = /Did you mean (.*)\?/.exec(suggestion ?? "")?.[1];
  return new UsageError(what, { hint: near ? `did you mean ${near}?` : help, cause: error });
}

function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}
