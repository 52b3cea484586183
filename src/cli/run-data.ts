import type { Command } from "commander";
import type { SplitName } from "../data/folders/listing.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { openRunData } from "../run/run-data.ts";
import { downloadProgress, note } from "./progress.ts";
import type { WeightsFlags } from "./weights.ts";

/** Where a run's images are, for commands that look at a run again. */
export interface RunDataFlags extends Pick<WeightsFlags, "mirror"> {
  data?: string;
  skipMissing?: true;
}

export const skipMissingHelp =
  "leave out images of the run that are missing or have changed; the result reports them";
const movedDataHelp = "new location of the run's data; default the original one";

export function addRunDataFlags(command: Command): Command {
  return command.option("--data <name>", movedDataHelp).option("--skip-missing", skipMissingHelp);
}

/** Opens a run's images, each in the split it was in; what is to be said of them is said. */
export async function openDataOfRun(
  dir: string,
  { data, skipMissing, mirror }: RunDataFlags,
  needs?: readonly SplitName[],
): Promise<DatasetSplits> {
  const opened = await openRunData(dir, {
    ...{ data, mirror, needs, skipMissing },
    onProgress: downloadProgress(),
    onNote: note,
  });
  for (const { file, why } of (opened.leftOut ?? []).slice(0, 5)) note(`left out: ${file} ${why}`);
  return opened;
}
