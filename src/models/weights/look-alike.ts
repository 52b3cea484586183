import { withoutInit } from "../../nn/index.ts";
import { Generator } from "../../tensor/index.ts";
import { createModel, type ModelName, modelNames, models } from "../registry.ts";
import { countPrefixes } from "./prefix.ts";
import type { TensorData } from "./safetensors.ts";

/** Fewer than this share of tensors in common is no likeness. */
const ENOUGH = 0.5;

/**
 * The known models whose parameters have most in common with these tensors under one prefix, by name and shape but for the
 * head: several where they differ in what is computed, not in what is stored. The models are built without drawing their
 * weights, which takes milliseconds.
 */
export function lookAlike(tensors: ReadonlyMap<string, TensorData>): ModelName[] {
  const file = new Map([...tensors].map(([key, { shape }]) => [signature(key, shape), shape]));
  let best: ModelName[] = [];
  let most = ENOUGH;
  for (const name of modelNames) {
    const own = new Set(signaturesOf(name));
    const share = Math.max(
      0,
      ...[...countPrefixes(file, own)].map(([prefix, common]) => {
        const size = [...file.keys()].filter((key) => key.startsWith(prefix)).length;
        return common / Math.max(own.size, size);
      }),
    );
    if (share <= ENOUGH || share < most) continue;
    best = share > most ? [name] : [...best, name];
    most = share;
  }
  return best;
}

function signaturesOf(name: ModelName): string[] {
  using random = new Generator(0);
  using model = withoutInit(() =>
    createModel(name, {
      classes: 2,
      inChannels: 3,
      imageSize: models[name].imageSize,
      random: { init: random, dropout: random },
    }),
  );
  const head = new Set([model.head.weight, model.head.bias]);
  return [...model.stateDict()]
    .filter(([, tensor]) => !head.has(tensor))
    .map(([key, tensor]) => signature(key, tensor.shape));
}

const signature = (key: string, shape: readonly number[]): string => `${key} ${shape.join("x")}`;
