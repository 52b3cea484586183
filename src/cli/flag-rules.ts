import type { Command } from "commander";
import { UsageError } from "../errors.ts";

/** Flags that count in some calls of a command alone. */
export interface FlagRule {
  /** Names of values as commander has them: `skipMissing` of `--skip-missing`. */
  readonly flags: readonly string[];
  /** Do they count in this call? */
  readonly counts: (
    options: Readonly<Record<string, unknown>>,
    args: readonly unknown[],
  ) => boolean;
  /** When they count, for the message: `--max-drop requires --int8`. */
  readonly goes: string;
  readonly hint?: string;
}

/**
 * Refuses flags that were given where they would do nothing: each is used, or is an error that names it. Defaults do not
 * count as given. Call it once for a command; it looks before the command's action runs.
 */
export function refuseUnused(command: Command, rules: readonly FlagRule[]): void {
  command.hook("preAction", (_, called) => {
    const options = called.opts();
    for (const { flags, counts, goes, hint } of rules) {
      if (counts(options, called.processedArgs)) continue;
      const given = flags.find((name) => called.getOptionValueSource(name) === "cli");
      if (given === undefined) continue;
      const option = called.options.find((one) => one.attributeName() === given);
      throw new UsageError(`${option?.long ?? given} ${goes}`, hint === undefined ? {} : { hint });
    }
  });
}
