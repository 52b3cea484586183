import type { TensorData } from "../safetensors.ts";

/** A pattern of a key and what stands for it; the first that matches is taken. */
export type Rule = readonly [pattern: RegExp, replacement: string];

/** The key by its rule; one that no rule knows stays, and is then reported as not in the model. */
export function renamed(key: string, rules: readonly Rule[]): string {
  const rule = rules.find(([pattern]) => pattern.test(key));
  return rule === undefined ? key : key.replace(...rule);
}

export function renameAll(
  tensors: ReadonlyMap<string, TensorData>,
  rules: readonly Rule[],
): Map<string, TensorData> {
  return new Map([...tensors].map(([key, tensor]) => [renamed(key, rules), tensor]));
}
