import type { DatasetSplits } from "../data/imageset.ts";
import { type ComputeChoice, chooseCompute } from "../models/compute.ts";
import type { LoadReport } from "../models/weights/index.ts";
import { withoutAugmentation } from "../run/augmentation.ts";
import type { TrainConfig } from "../run/config.ts";
import type { NetworkInput } from "../run/input.ts";
import { limitToMachine, setThreads } from "../tensor/index.ts";
import type { TrainEvents, TrainOptions } from "./events.ts";
import { trainingInput, withInput } from "./input.ts";
import { Session } from "./session.ts";
import { openStartWeights, startFrom } from "./start-weights.ts";

/** What a run would begin with: everything is as `train` makes it, and no record is written. */
export interface Rehearsal extends AsyncDisposable {
  readonly config: TrainConfig;
  /** What the network sees of the data. */
  readonly input: NetworkInput;
  readonly compute: ComputeChoice;
  readonly session: Session;
  /** What became of the weights that it starts from; undefined where it starts from random ones. */
  readonly load: LoadReport | undefined;
}

export type RehearsalOptions = Pick<TrainOptions, "openWeights" | "cache" | "signal"> &
  Pick<TrainEvents, "onWeights" | "onNote" | "onFeatures">;

/**
 * @param how `plain`: training images are not changed, but seen as judging sees them.
 * @throws UsageError for what cannot be trained.
 */
export async function rehearse(
  asked: TrainConfig,
  data: DatasetSplits,
  options: RehearsalOptions = {},
  how?: "plain",
): Promise<Rehearsal> {
  const weights = await (options.openWeights ?? openStartWeights)(asked);
  const complete = withInput(asked, weights, data);
  const config = how === "plain" ? withoutAugmentation(complete) : complete;
  const input = trainingInput(config, data);
  if (config.threads !== undefined) setThreads(config.threads);
  const compute = chooseCompute(config);
  limitToMachine();
  const session = new Session(config, data, input, compute, options);
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
    ...{ config, input, compute, session, load },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
