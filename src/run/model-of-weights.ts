import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { models } from "../models/index.ts";
import { modelOfRepo, parseWeightsReference, runWeightsFile } from "../models/weights/hub/index.ts";
import { readSafetensorsHeader } from "../models/weights/index.ts";

/**
 * The name of the network that weights are of, where they say it: a run, a file of one, published weights. Undefined where
 * they do not. @throws UsageError for weights that are not there, or of what is no network, as a classical model's.
 */
export function modelOfWeights(reference: string, out = "runs"): string | undefined {
  const parsed = parseWeightsReference(reference, { out });
  if (parsed.kind === "hub") return modelOfRepo(parsed.repo);
  const path = parsed.kind === "run" ? join(parsed.path, runWeightsFile) : parsed.path;
  if (!path.endsWith(".safetensors")) return undefined;
  const { run, model } = readSafetensorsHeader(path).metadata;
  if (run === undefined || model === undefined) return undefined;
  if (Object.hasOwn(models, model)) return model;
  throw new UsageError(`--weights ${reference}: its model ${model} is not a network`, {
    hint: "training starts from a network's weights; `thaw models` lists the networks",
  });
}
