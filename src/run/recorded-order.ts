import type { TrainConfig } from "./config.ts";
import { readRun } from "./read.ts";

/**
 * A run's config with its classes in the order of its model's outputs, to open its data by. Versions before this one
 * sorted the classes whatever order the config gave, and their records say so.
 */
export function inRecordedOrder<C extends Partial<Pick<TrainConfig, "classes">>>(
  config: C,
  dir: string,
): C {
  const recorded = readRun(dir).summary?.classes;
  if (config.classes === undefined || recorded?.length !== config.classes.length) return config;
  return { ...config, classes: [...recorded] };
}
