import { createHash } from "node:crypto";

/** How an ensemble decides: by the mean of the members' probabilities, or by the majority of their votes. */
export const voteNames = ["soft", "hard"] as const;
export type Vote = (typeof voteNames)[number];

/** Test-time augmentation: which views of an image are judged, and their probabilities averaged. */
export const ttaNames = ["flip", "ten-crop"] as const;
export type Tta = (typeof ttaNames)[number];

/**
 * Which weights of a run are judged: those of the epoch that was best on validation images, or of the last one. Where a
 * schedule ends at a rate of zero and few images choose, the best of the last epochs is chosen by noise.
 */
export const checkpointNames = ["best", "last"] as const;
export type CheckpointName = (typeof checkpointNames)[number];

/** Under `evaluation` in the config of a record that judges runs and trains none. */
export interface Evaluation {
  /** Folders of the runs. */
  readonly members: readonly string[];
  /** How several decide. */
  readonly vote?: Vote;
  readonly tta?: Tta;
  /** Default: the best. */
  readonly checkpoint?: CheckpointName;
  /** Test images that are missing or have changed, and are left out. */
  readonly without?: readonly string[];
}

/** Of a run's config; undefined for a run that was trained. */
export function evaluationIn(config: Readonly<Record<string, unknown>>): Evaluation | undefined {
  return config["evaluation"] as Evaluation | undefined;
}

/** How runs are judged, as far as it is not as usual. */
export interface How {
  readonly vote?: Vote | undefined;
  readonly tta?: Tta | undefined;
  readonly checkpoint?: CheckpointName | undefined;
  readonly without?: readonly string[] | undefined;
}

/** A plain folder name that tells what was judged, from the runs' names; of many runs, with a digest of them. */
export function evaluationName(
  runs: readonly string[],
  { vote, tta, checkpoint, without = [] }: How,
): string {
  const names = runs.join("-");
  const short =
    names.length <= 120
      ? names
      : `${runs.length}-${createHash("sha256").update(names).digest("hex").slice(0, 8)}`;
  const parts = [
    ...(vote === undefined ? [] : ["ensemble", vote]),
    short,
    ...(checkpoint === "last" ? ["last"] : []),
    ...(tta ? [tta] : []),
    ...(without.length > 0 ? ["without", String(without.length)] : []),
  ];
  return parts.join("-");
}
