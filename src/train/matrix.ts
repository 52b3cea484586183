import { join } from "node:path";
import { csvOptionsOf } from "../data/folders/csv-columns.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { type Stop, StoppedError, stopOf } from "../platform/stop.ts";
import { valSizeOf } from "../run/classical-config.ts";
import { loadConfig } from "../run/config-load.ts";
import type { MatrixMember } from "../run/matrix-member.ts";
import { type Placed, placeMembers } from "../run/member-state.ts";
import { readSplit } from "../run/split-file.ts";
import { emptyCache, getThreads, setThreads } from "../tensor/index.ts";
import { type ClassicalOptions, trainClassical } from "./classical.ts";
import type { TrainOptions, TrainResult } from "./events.ts";
import { train } from "./train.ts";

export interface MatrixOptions
  extends Omit<TrainOptions, "resume" | "overwrite">,
    Pick<ClassicalOptions, "places" | "onFit"> {
  /** Opens the data of a config; with `dir`, of the run in that folder, each image in the split that it was in. */
  readonly openData: (config: MatrixMember["config"], dir?: string) => Promise<DatasetSplits>;
  /** Before each member, from 1. */
  readonly onMember?: (placed: Placed, position: number, total: number) => void;
  /** After each that was trained; the next one waits for it. */
  readonly onTrained?: (result: TrainResult) => Promise<void>;
  /** After each that failed; the others go on. */
  readonly onFailed?: (name: string, error: Error) => void;
}

export interface MatrixOutcome {
  /** Folders of all members that are finished, in the matrix's order. */
  readonly finished: readonly string[];
  /** How many of them were finished before. */
  readonly skipped: number;
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
  /** Why the matrix was left early. */
  readonly stopped?: Stop;
}

/**
 * Trains the members of a matrix one after the other into `out`: those that are finished are passed over, those that were
 * begun go on from their checkpoint, and one that fails stops no other.
 */
export async function trainMatrix(
  members: readonly MatrixMember[],
  out: string,
  options: MatrixOptions,
): Promise<MatrixOutcome> {
  const finished: string[] = [];
  const failed: { name: string; error: Error }[] = [];
  let skipped = 0;
  const threads = getThreads();
  const openData = lastKept(options.openData);
  const placed = placeMembers(members, out);
  for (const [i, place] of placed.entries()) {
    const { name, state } = place;
    options.onMember?.(place, i + 1, placed.length);
    if (state === "finished") {
      skipped++;
      finished.push(join(out, name));
      continue;
    }
    try {
      // A member that sets its own number would leave it to the next.
      setThreads(threads);
      emptyCache();
      const result = await trainMember(place, out, openData, options);
      const { status } = result.summary;
      if (status === "interrupted" || status === "preempted") {
        return { finished, skipped, failed, stopped: status };
      }
      await options.onTrained?.(result);
      finished.push(result.run.dir);
    } catch (cause) {
      if (cause instanceof StoppedError) {
        return { finished, skipped, failed, stopped: cause.stop };
      }
      const error = cause instanceof Error ? cause : new ThawError(String(cause));
      failed.push({ name, error });
      options.onFailed?.(name, error);
    }
    const stopped = stopOf(options.signal);
    if (stopped !== undefined) return { finished, skipped, failed, stopped };
  }
  return { finished, skipped, failed };
}

async function trainMember(
  { member, name, state }: Placed,
  out: string,
  openData: MatrixOptions["openData"],
  options: MatrixOptions,
): Promise<TrainResult> {
  const place = { name, out };
  if (member.kind === "classical") {
    const config = { ...member.config, ...place };
    // It has no checkpoints: one that was begun is fitted again.
    return trainClassical(config, await openData(config), {
      ...options,
      overwrite: state === "begun",
    });
  }
  if (state === "new") {
    const config = { ...member.config, ...place };
    return train(config, await openData(config), options);
  }
  const config = loadConfig(join(out, name, "config.json"), place);
  const data = await openData(config, join(out, name));
  return train(config, data, { ...options, resume: true });
}

/**
 * Members that want the same data as the one before get the same; those without a valSize what is usual for their kind.
 * Runs that keep the same split have the same data, whatever their configs.
 */
export function lastKept(open: MatrixOptions["openData"]): MatrixOptions["openData"] {
  let last: { readonly key: string; readonly data: DatasetSplits } | undefined;
  return async (config, dir) => {
    const { data, seed, classes, perClass, trainSize, testSize, testFrom } = config;
    const valSize = valSizeOf(config);
    const kind = "features" in config ? "classical" : "network";
    const sizes = { perClass, trainSize, valSize, testSize, testFrom };
    const split = dir === undefined ? undefined : readSplit(dir)?.fingerprint;
    const { pixelRange, onBadImage } = config;
    const read = { data, ...csvOptionsOf(config), pixelRange, onBadImage };
    const key =
      split === undefined
        ? JSON.stringify([kind, read, seed, classes, sizes, dir])
        : JSON.stringify([read, split]);
    if (last?.key !== key) {
      // The old data is let go before the new one comes.
      last = undefined;
      last = { key, data: await open({ ...config, valSize }, dir) };
    }
    return last.data;
  };
}
