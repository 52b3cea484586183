import type { Command } from "commander";
import type { DataLocation } from "../../../data/datasets/index.ts";
import { type CsvOptions, csvOptionsOf } from "../../../data/folders/csv-columns.ts";
import { addConfigFlags, csvFlags } from "../../config-flags.ts";
import { nameList } from "../../name-list.ts";
import { downloadProgress } from "../../progress.ts";

/** What every command of `thaw data` takes about its source. */
export interface SourceFlags extends CsvOptions {
  classes?: string[];
  mirror?: string;
  json?: true;
}

export function sourceFlags(command: Command): Command {
  command
    .argument(
      "<source>",
      "a built-in name, a folder, a .zip or .tar(.gz|.xz) of one, or a CSV of path,label (docs/data.md)",
    )
    .option("--classes <names>", "only these classes, with commas between them", nameList)
    .option("--mirror <folder or url>", "where the original archives lie; default THAW_MIRROR")
    .option("--json", "print the result as JSON");
  addConfigFlags(command, csvFlags());
  return command;
}

export function locationOf(source: string, flags: SourceFlags): DataLocation {
  const { mirror, classes } = flags;
  return { data: source, ...csvOptionsOf(flags), mirror, classes, onProgress: downloadProgress() };
}
