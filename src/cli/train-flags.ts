import type { Command } from "commander";
import type { DatasetSplits } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { parseModelName } from "../models/index.ts";
import type { TrainConfig } from "../run/config.ts";
import { overridesFromFlags } from "../run/config-flags.ts";
import { loadConfig } from "../run/config-load.ts";
import type { Weights } from "../run/weights.ts";
import { openStartWeights } from "../train/index.ts";
import { asksForClassical, trainFlags } from "./classical.ts";
import { addConfigFlags } from "./config-flags.ts";
import { openConfiguredData } from "./dataset.ts";
import { ensureEngine } from "./engine.ts";
import { announce, mirrorHelp, offlineHelp, type WeightsFlags, weightsPlaces } from "./weights.ts";

export interface ConfiguredOptions extends Record<string, unknown>, WeightsFlags {
  config?: string;
  json?: true;
}

/** The flags of a command that looks at what `thaw train` with the same flags would train. */
export function addTrainFlags(command: Command): void {
  command
    .option("--config <file>", "YAML or JSON file with any of the keys below; flags win over it")
    .option("--mirror <folder or url>", mirrorHelp)
    .option("--offline", offlineHelp)
    .option("--json", "print the result as JSON");
  addConfigFlags(command, trainFlags());
}

/** Opens the weights that a config starts from, and says where they come from. */
export function weightsOpener(flags: WeightsFlags) {
  return async (config: TrainConfig): Promise<Weights | undefined> => {
    const weights = await openStartWeights(config, weightsPlaces(flags));
    if (weights !== undefined) announce(weights);
    return weights;
  };
}

/** Config, data and weights of the flags of {@link addTrainFlags}, for a command of a network's training alone. */
export async function openConfigured(options: ConfiguredOptions): Promise<{
  readonly config: TrainConfig;
  readonly data: DatasetSplits;
  readonly openWeights: () => Promise<Weights | undefined>;
}> {
  if (asksForClassical(options)) {
    throw new UsageError("--model: a classical model has no learning rate and no gradients", {
      hint: "`thaw models` lists the networks",
    });
  }
  const config = loadConfig(options.config, overridesFromFlags(options));
  parseModelName(config.model);
  const weights = await weightsOpener(options)(config);
  await ensureEngine();
  const data = await openConfiguredData(config, options.mirror);
  return { config, data, openWeights: async () => weights };
}
