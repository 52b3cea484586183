import type { TrainConfig } from "../config.ts";
import type { RunRecord } from "../record.ts";
import { mlflowServer } from "./mlflow/server.ts";
import { MlflowTracker } from "./mlflow/tracker.ts";
import { flatParams } from "./params.ts";
import { TensorBoardTracker } from "./tensorboard.ts";
import { type Tracker, Trackers } from "./tracker.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface OpenTrackerOptions {
  readonly fromStep?: number;
  readonly onNote?: ((text: string) => void) | undefined;
  /** Milliseconds since 1970; default the system's clock. */
  readonly now?: () => number;
  readonly env?: Environment;
}

/** Before anything is trained. @throws UsageError where a tracker that the config asks for cannot be used. */
export function checkTracking({ track }: Pick<TrainConfig, "track">, env: Environment): void {
  if (track.includes("mlflow")) mlflowServer(env);
}

/** A config, of a network or a classical model. */
type Tracked = Pick<TrainConfig, "track"> & Readonly<Record<string, unknown>>;

/** The trackers of a config, for a run whose record is there. @throws UsageError as `checkTracking`. */
export function openTracker(
  config: Tracked,
  run: RunRecord,
  { fromStep = 0, onNote, now = Date.now, env = process.env }: OpenTrackerOptions = {},
): Tracker {
  const { dir, name } = run;
  const note = (text: string) => onNote?.(text);
  const params = flatParams(config);
  const trackers: Tracker[] = [];
  if (config.track.includes("tensorboard")) {
    trackers.push(new TensorBoardTracker({ dir, name, params, fromStep, note, now }));
  }
  if (config.track.includes("mlflow")) {
    trackers.push(new MlflowTracker({ dir, params, server: mlflowServer(env), note, now }));
  }
  return new Trackers(trackers);
}
