import { type DatasetSplits, inMemory, type MemorySplits } from "../data/imageset.ts";
import { type ComputeChoice, chooseCompute } from "../models/compute.ts";
import type { LoadReport } from "../models/weights/index.ts";
import type { TrainConfig } from "../run/config.ts";
import { setThreads } from "../tensor/index.ts";
import type { TrainEvents, TrainOptions } from "./events.ts";
import { Session } from "./session.ts";
import { normalizedAs, openStartWeights, startFrom, withNormalization } from "./start-weights.ts";

/** What a run would begin with: everything is as `train` makes it, and no record is written. */
export interface Rehearsal extends AsyncDisposable {
  readonly config: TrainConfig;
  readonly data: MemorySplits;
  readonly compute: ComputeChoice;
  readonly session: Session;
  /** What became of the weights that it starts from; undefined where it starts from random ones. */
  readonly load: LoadReport | undefined;
}

export type RehearsalOptions = Pick<TrainOptions, "openWeights" | "cache"> &
  Pick<TrainEvents, "onWeights" | "onNote" | "onFeatures">;

/** @throws UsageError for what cannot be trained. */
export async function rehearse(
  asked: TrainConfig,
  splits: DatasetSplits,
  options: RehearsalOptions = {},
): Promise<Rehearsal> {
  const source = inMemory(splits);
  const weights = await (options.openWeights ?? openStartWeights)(asked);
  const config = withNormalization(asked, weights, source);
  const data = normalizedAs(config, source);
  if (config.threads !== undefined) setThreads(config.threads);
  const compute = chooseCompute(config);
  const session = new Session(config, data, compute);
  let load: LoadReport | undefined;
  try {
    if (weights !== undefined) {
      startFrom(weights, config, data, session, {
        ...options,
        onWeights: (report, from) => {
          load = report;
          options.onWeights?.(report, from);
        },
      });
    }
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
  return {
    ...{ config, data, compute, session, load },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
