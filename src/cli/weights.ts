import type { Weights, WeightsPlaces } from "../run/weights.ts";
import { say } from "./output.ts";
import { downloadProgress, note } from "./progress.ts";

/** Flags that say where weights may come from. */
export interface WeightsFlags {
  readonly mirror?: string;
  readonly offline?: true;
}

export const mirrorHelp =
  "folder or address that has the data sets' archives and weights; default THAW_MIRROR";
export const offlineHelp =
  "ask no server for weights: what is cached, or in a mirror's folder, has to do (HF_HUB_OFFLINE)";

/** A download of weights is told on stderr. */
export function weightsPlaces({ mirror, offline }: WeightsFlags): WeightsPlaces {
  return { mirror, offline, onProgress: downloadProgress() };
}

/** Says where weights come from, unless it is what the person wrote, and what there is to know of them. */
export function announce({ source, reference, notes }: Weights): void {
  if (source !== reference) say(`weights: ${reference} from ${source}`);
  for (const text of notes) note(text);
}
