import { openDataset } from "../data/datasets/index.ts";
import { type CsvOptions, csvOptionsOf } from "../data/folders/csv-columns.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { valSizeOf } from "../run/classical-config.ts";
import type { TrainConfig } from "../run/config.ts";
import { downloadProgress } from "./progress.ts";

/** What of a config chooses the data. */
type DataChoice = Pick<TrainConfig, "data" | "seed"> &
  Partial<
    CsvOptions &
      Pick<
        TrainConfig,
        | "classes"
        | "perClass"
        | "trainSize"
        | "valSize"
        | "testSize"
        | "testFrom"
        | "pixelRange"
        | "onBadImage"
      >
  >;

/**
 * Opens the data that a config names; a download is told on stderr.
 * @param reads Splits whose images will be read; default all.
 */
export async function openConfiguredData(
  config: DataChoice,
  mirror?: string,
  reads?: readonly ("train" | "val" | "test")[],
): Promise<DatasetSplits> {
  return openDataset({
    data: config.data,
    ...csvOptionsOf(config),
    seed: config.seed,
    classes: config.classes,
    perClass: config.perClass,
    trainSize: config.trainSize,
    valSize: valSizeOf(config),
    testSize: config.testSize,
    testFrom: config.testFrom,
    pixelRange: config.pixelRange,
    onBadImage: config.onBadImage,
    reads,
    mirror,
    onProgress: downloadProgress(),
  });
}
