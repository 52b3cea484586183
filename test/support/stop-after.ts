import { StoppedError } from "../../src/platform/stop.ts";
import type { TrainOptions } from "../../src/train/index.ts";

/** Options that abort training once `batches` more batches are trained on. */
export function stopAfter(batches: number): Required<Pick<TrainOptions, "signal" | "onStep">> {
  const controller = new AbortController();
  let done = 0;
  return {
    signal: controller.signal,
    onStep: () => {
      if (++done === batches) controller.abort(new StoppedError("interrupted"));
    },
  };
}
