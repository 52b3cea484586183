import { type DatasetProgress, openDataset } from "../data/datasets/index.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import type { TrainConfig } from "../run/config.ts";
import { say } from "./output.ts";

/** Opens the data that a config names; a download is told on stderr. */
export async function openConfiguredData(
  config: TrainConfig,
  mirror?: string,
): Promise<DatasetSplits> {
  return openDataset({
    data: config.data,
    seed: config.seed,
    classes: config.classes,
    perClass: config.perClass,
    trainSize: config.trainSize,
    valSize: config.valSize,
    testSize: config.testSize,
    mirror,
    onProgress: downloadProgress(),
  });
}

/** Tells of a download or unpacking in steps of a tenth, on stderr. */
export function downloadProgress(): (progress: DatasetProgress) => void {
  let told = "";
  return ({ phase, received, total, file }) => {
    const share = total ? `: ${Math.floor((10 * received) / total) * 10} %` : "";
    const doing = phase === "decode" ? "decoding" : total ? "fetching" : "unpacking";
    const line = `${doing} ${file}${share}`;
    if (line !== told) say(line);
    told = line;
  };
}
