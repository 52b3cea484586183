import type { Command } from "commander";
import type { DataLocation } from "../../../data/datasets/index.ts";
import { nameList } from "../../name-list.ts";
import { downloadProgress } from "../../progress.ts";

/** What every command of `thaw data` takes about its source. */
export interface SourceFlags {
  classes?: string[];
  mirror?: string;
  json?: true;
}

export function sourceFlags(command: Command): Command {
  return command
    .argument(
      "<source>",
      "a built-in name, a folder, a .zip or .tar(.gz|.xz) of one, or a CSV of path,label",
    )
    .option("--classes <names>", "only these classes, with commas between them", nameList)
    .option("--mirror <folder or url>", "where the original archives lie; default THAW_MIRROR")
    .option("--json", "print the result as JSON");
}

export function locationOf(source: string, { mirror, classes }: SourceFlags): DataLocation {
  return { data: source, mirror, classes, onProgress: downloadProgress() };
}
