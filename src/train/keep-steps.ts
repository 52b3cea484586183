import { BatchError } from "../data/loader.ts";
import { firstUnusable } from "../models/weights/unusable.ts";
import type { TrainConfig } from "../run/config.ts";
import type { Session } from "./session.ts";

/**
 * Where training has ended because a batch could not be made: writes a checkpoint of the steps before it, and returns the
 * error with how to go on. Any other error, and one in a place that no checkpoint can be of, is returned as it is.
 */
export function keepSteps(
  error: unknown,
  { progress, train, model }: Session,
  { gradAccumSteps = 1 }: TrainConfig,
  checkpoint: () => void,
): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (!(error instanceof BatchError)) return error;
  // Between two updates alone, and not after an epoch's last: that epoch is not validated yet.
  const isWhole = progress.batch > 0 && progress.batch < train.batches;
  if (!isWhole || progress.batch % gradAccumSteps !== 0) return error;
  if (firstUnusable(model.stateDict(), Number.MAX_VALUE) !== undefined) return error;
  try {
    checkpoint();
  } catch {
    // The file is the error to report; the last checkpoint is as good as it was.
    return error;
  }
  const kept = `a checkpoint of step ${progress.step} was saved: restore the file, then continue with thaw train --resume`;
  const hint = error.hint === undefined ? kept : `${error.hint}; ${kept}`;
  return new BatchError(error.message, { hint, cause: error });
}
