import type { Command } from "commander";
import { type ConfigFlag, configFlags } from "../run/config-flags.ts";
import { csvKeys } from "../run/csv-keys.ts";

/** A flag for every value of a config. */
export function addConfigFlags(command: Command, flags: readonly ConfigFlag[]): void {
  for (const { usage, negation, help, parse } of flags) {
    if (negation === undefined) command.option(usage, help, parse);
    else command.option(usage, help).option(negation, `not ${usage}`);
  }
}

/** The flags of `thaw train` that say how a CSV is read. */
export function csvFlags(): ConfigFlag[] {
  return configFlags().filter(({ path }) => path[0]! in csvKeys);
}
