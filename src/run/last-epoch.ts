import { ThawError } from "../errors.ts";
import type { TensorData } from "../models/weights/index.ts";
import { newestVerified } from "./checkpoint.ts";
import { RunRecord } from "./record.ts";

export interface LastEpoch {
  /** The checkpoint's file. */
  readonly path: string;
  /** By their names in the model. */
  readonly tensors: ReadonlyMap<string, TensorData>;
}

/**
 * The weights of a run's last epoch, as far as its newest checkpoint goes, of which validation judges the moving average
 * where there is one.
 * @throws ThawError where there is no checkpoint that can be read.
 */
export function lastEpoch(dir: string): LastEpoch {
  const { checkpoint, rejected } = newestVerified(new RunRecord(dir).checkpoints);
  if (checkpoint === undefined) {
    const why = rejected.map(({ file: name, why: reason }) => `; ${name}: ${reason}`).join("");
    throw new ThawError(`${dir} has no checkpoint of its last epoch${why}`, {
      hint: "its best model can be judged still",
    });
  }
  const { path, tensors } = checkpoint;
  const hasAverage = [...tensors.keys()].some((name) => name.startsWith("ema."));
  const prefix = hasAverage ? "ema." : "model.";
  const own = [...tensors].filter(([name]) => name.startsWith(prefix));
  return { path, tensors: new Map(own.map(([name, data]) => [name.slice(prefix.length), data])) };
}
