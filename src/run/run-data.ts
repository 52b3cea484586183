import { join } from "node:path";
import { type DataLocation, openDataset } from "../data/datasets/index.ts";
import { openRecorded } from "../data/datasets/open-recorded.ts";
import { csvOptionsOf } from "../data/folders/csv-columns.ts";
import type { SplitName } from "../data/folders/listing.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { splitNames } from "../data/recorded.ts";
import { ThawError } from "../errors.ts";
import { isClassicalModel, loadClassicalConfig, valSizeOf } from "./classical-config.ts";
import { loadConfig } from "./config-load.ts";
import { readRun } from "./read.ts";
import { RunRecord } from "./record.ts";
import { inRecordedOrder } from "./recorded-order.ts";
import { readSplit } from "./split-file.ts";

export interface RunDataOptions extends Omit<DataLocation, "data"> {
  /** Where the data are now; default where the run's config says. */
  readonly data?: string | undefined;
  /** The splits that are wanted; others may come back empty. Default all. */
  readonly needs?: readonly SplitName[] | undefined;
  /** Go on without images that are missing or have changed; `leftOut` of the data names them. */
  readonly skipMissing?: boolean | undefined;
  /** Told of images that were renamed, and of those that were added. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/**
 * The data of a run, each image in the split that it was in when the run was trained. A run of an older version keeps no
 * list of them: its splits are drawn anew, and compared with the fingerprint that it does keep.
 * @throws ThawError that names images which are missing or have changed; for an older run, where the data are not the same.
 */
export async function openRunData(
  dir: string,
  options: RunDataOptions = {},
): Promise<DatasetSplits> {
  const { name } = new RunRecord(dir);
  const { needs = splitNames, skipMissing, onNote, ...location } = options;
  const file = join(dir, "config.json");
  const { config: written, environment } = readRun(dir);
  const config = isClassicalModel(written["model"]) ? loadClassicalConfig(file) : loadConfig(file);
  const data = options.data ?? config.data;
  // How the run's CSV is read says nothing of a folder that its images lie in now.
  const csv = /\.[ct]sv$/i.test(data) ? csvOptionsOf(config) : undefined;
  const recorded = readSplit(dir);
  if (recorded !== undefined) {
    const { classes, pixelRange } = config;
    const { unusable = [] } = (environment["dataset"] ?? {}) as {
      unusable?: readonly { file: string }[];
    };
    const how = {
      ...{ run: name, needs, skipMissing, onNote, pixelRange },
      unusable: unusable.map(({ file }) => file),
    };
    return openRecorded(recorded, { ...location, ...csv, data, classes, ...how });
  }
  const { seed, classes, perClass, trainSize, testSize, testFrom } = inRecordedOrder(config, dir);
  const opened = await openDataset({
    ...location,
    ...csv,
    ...{ data, seed, classes, perClass, trainSize, testSize, testFrom },
    valSize: valSizeOf(config),
    draw: "shuffle",
    reads: needs,
  });
  const { fingerprint } = (environment["dataset"] ?? {}) as { fingerprint?: string };
  if (fingerprint === undefined || fingerprint === opened.fingerprint) return opened;
  const { train, val, test } = opened;
  throw new ThawError(
    `${data} is not what ${name} was trained on: the fingerprints of the data differ (now ${train.count} training, ${val.count} validation and ${test.count} test images)`,
    {
      hint: `the run was made by an older version, which did not record its images: restore the original data, or evaluate its model on these: thaw evaluate --weights ${name} --data ${data}`,
    },
  );
}
