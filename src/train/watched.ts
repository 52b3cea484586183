import type { Batch } from "../data/loader.ts";
import type { StepWatch } from "./events.ts";

/** The batches, and `watch` told of each; a step lasts until the next batch is asked for. */
export function watched(
  batches: AsyncGenerator<Batch>,
  watch: StepWatch | undefined,
): AsyncGenerator<Batch> {
  return watch === undefined ? batches : told(batches, watch);
}

async function* told(batches: AsyncGenerator<Batch>, watch: StepWatch): AsyncGenerator<Batch> {
  try {
    watch.phase("data");
    for await (const batch of batches) {
      watch.batch(batch.images.shape);
      yield batch;
      watch.phase("data");
    }
  } finally {
    watch.pause();
  }
}
