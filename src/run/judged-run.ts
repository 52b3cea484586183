import type { SplitSet } from "../data/imageset.ts";
import type { ImageShape } from "./input.ts";
import type { RunRecord } from "./record.ts";
import type { Tracker } from "./track/tracker.ts";

/** A run whose test set was just judged, for those who draw it. */
export interface JudgedRun {
  readonly run: RunRecord;
  readonly test: SplitSet;
  /** Of what size its model saw the images. */
  readonly input: ImageShape;
  /** Where the run is told to somebody: may be shown the pictures. */
  readonly tracker?: Tracker;
}
