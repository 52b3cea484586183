import type { Command } from "commander";
import type { ConfigFlag } from "../run/config-flags.ts";

/** A flag for every value of a config. */
export function addConfigFlags(command: Command, flags: readonly ConfigFlag[]): void {
  for (const { usage, negation, help, parse } of flags) {
    if (negation === undefined) command.option(usage, help, parse);
    else command.option(usage, help).option(negation, `not ${usage}`);
  }
}
