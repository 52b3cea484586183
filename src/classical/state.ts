import { ThawError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { owned } from "./checks.ts";
import type { EstimatorState } from "./estimator.ts";

/** Copies of the tensors that an estimator is restored from. @throws ThawError where one is missing. */
export function stateTensors<K extends string>(
  name: string,
  { tensors }: EstimatorState,
  keys: readonly K[],
): Record<K, Tensor> {
  const missing = keys.filter((key) => !tensors.has(key));
  if (missing.length > 0) {
    throw new ThawError(`${name}: its state has no ${missing.join(", ")}`);
  }
  const entries = keys.map((key) => [key, owned(tensors.get(key)!)] as const);
  return Object.fromEntries(entries) as Record<K, Tensor>;
}

export function disposeTensors(tensors: Readonly<Record<string, Tensor>> | undefined): void {
  for (const tensor of Object.values(tensors ?? {})) tensor.dispose();
}
