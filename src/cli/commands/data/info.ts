import type { CliCommand } from "../../command.ts";
import { type SourceFlags, sourceFlags } from "./source-flags.ts";

export const info: CliCommand = {
  register(command) {
    sourceFlags(command).action(async (_source: string, _options: SourceFlags) => {});
  },
};
