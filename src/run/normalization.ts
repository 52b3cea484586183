import { UsageError } from "../errors.ts";
import { imagenetPreprocessing } from "../models/imagenet.ts";
import { type ModelName, models } from "../models/index.ts";
import type { Weights } from "./weights.ts";

/** Mean and deviation of each channel, of pixel/255, and where they come from. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly from: string;
}

/** What the config or the flags say of it: both or none. */
export interface GivenNormalization {
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
}

/**
 * How images are normalised for weights: as given; else as the file or its repository says; else as the model's
 * published weights were trained; else by ImageNet's statistics, which is what nearly all published weights want.
 */
export function normalizationOf(
  weights: Weights,
  model: ModelName,
  channels: number,
  given: GivenNormalization,
): Normalization {
  const fitted = (mean: readonly number[], std: readonly number[], from: string) => ({
    mean: forChannels(mean, channels, "mean"),
    std: forChannels(std, channels, "std"),
    from,
  });
  if (given.mean !== undefined && given.std !== undefined) {
    return fitted(given.mean, given.std, "as given");
  }
  if (weights.input !== undefined) {
    return fitted(weights.input.mean, weights.input.std, "of the weights' file");
  }
  if (weights.preprocessing !== undefined) {
    const { mean, std } = weights.preprocessing;
    return fitted(mean, std, `of ${weights.reference}`);
  }
  const published = models[model].weights[0]?.preprocessing;
  const { mean, std } = published ?? imagenetPreprocessing();
  return fitted(
    mean,
    std,
    published === undefined ? "ImageNet's" : `of ${model}'s published weights`,
  );
}

/** One value for all channels is repeated; of three colours, grey images take the average. */
export function forChannels(
  values: readonly number[],
  channels: number,
  what: string,
): readonly number[] {
  if (values.length === channels) return values;
  if (values.length === 1) return Array.from({ length: channels }, () => values[0]!);
  if (channels === 1) return [values.reduce((sum, value) => sum + value, 0) / values.length];
  throw new UsageError(`--${what}: ${values.length} values for images of ${channels} channels`, {
    hint: "give one value, or one a channel",
  });
}
