import type { TrainConfig } from "../run/config.ts";
import type { NetworkInput } from "../run/input.ts";

/** What is needed to use a run's model file by itself. */
export function modelMetadata(
  run: string,
  { model, data }: TrainConfig,
  classes: readonly string[],
  input: NetworkInput,
): Record<string, string> {
  return {
    format: "pt",
    model,
    classes: JSON.stringify(classes),
    input: JSON.stringify(input),
    data,
    run,
  };
}
