import { withoutInit } from "../../nn/index.ts";
import { Generator } from "../../tensor/index.ts";
import { createModel, type ModelName, modelNames, models } from "../registry.ts";
import type { TensorData } from "./safetensors.ts";

/** Fewer than this share of tensors in common is no likeness. */
const ENOUGH = 0.5;

/**
 * The known model whose parameters have most in common with these tensors, by name and shape but for the head. The
 * models are built without drawing their weights, which takes milliseconds.
 */
export function lookAlike(tensors: ReadonlyMap<string, TensorData>): ModelName | undefined {
  const file = new Set([...tensors].map(([key, { shape }]) => signature(key, shape)));
  let best: ModelName | undefined;
  let most = ENOUGH;
  for (const name of modelNames) {
    const own = signaturesOf(name);
    const common = own.filter((line) => file.has(line)).length;
    const share = common / Math.max(own.length, file.size);
    if (share > most) {
      best = name;
      most = share;
    }
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
