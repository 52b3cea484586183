import { ThawError } from "../../../errors.ts";
import type { Importer } from "../importer.ts";
import type { TensorData } from "../safetensors.ts";
import { type Rule, renameAll, renamed } from "./rename.ts";

type Tensors = ReadonlyMap<string, TensorData>;

/**
 * torchvision numbers the layers of an inverted residual block through, timm names them:
 *
 *     depthwise, [squeeze], pointwise              → conv_dw bn1 se conv_pw bn2
 *     pointwise, depthwise, [squeeze], pointwise   → conv_pw bn1 conv_dw bn2 se conv_pwl bn3
 *
 * `from` is a block's prefix in torchvision's file, `to` in timm's.
 */
function blockRules(tensors: Tensors, from: string, to: string): Rule[] {
  const at = (layer: number, rest: string) => `${from}.block.${layer}.${rest}`;
  const expands = tensors.get(at(0, "0.weight"))?.shape[2] === 1;
  const convolutions = expands ? ["conv_pw", "conv_dw", "conv_pwl"] : ["conv_dw", "conv_pw"];
  const rules: Rule[] = [];
  let layer = 0;
  convolutions.forEach((name, i) => {
    if (tensors.has(at(layer, "fc1.weight"))) {
      rules.push([starting(at(layer, "fc1.")), `${to}.se.conv_reduce.`]);
      rules.push([starting(at(layer, "fc2.")), `${to}.se.conv_expand.`]);
      layer++;
    }
    rules.push([starting(at(layer, "0.")), `${to}.${name}.`]);
    rules.push([starting(at(layer, "1.")), `${to}.bn${i + 1}.`]);
    layer++;
  });
  return rules;
}

const starting = (prefix: string): RegExp => new RegExp(`^${prefix.replaceAll(".", "\\.")}`);

function prefixes(tensors: Tensors, pattern: RegExp): string[] {
  return [...new Set([...tensors.keys()].flatMap((key) => pattern.exec(key)?.[1] ?? []))];
}

/** torchvision's `efficientnet_b0` to `b7` → timm's EfficientNet. */
export const torchvisionEfficientnet: Importer = {
  format: "torchvision efficientnet",
  framework: "pytorch",
  marks: ["features.1.0.block.0.0.weight", "features.8.0.weight"],
  convert: (tensors) => {
    const blocks = prefixes(tensors, /^(features\.\d+\.\d+)\.block\./);
    const rules = blocks.flatMap((from) => {
      const [, stage, index] = from.split(".").map(Number);
      return blockRules(tensors, from, `blocks.${stage! - 1}.${index}`);
    });
    return renameAll(tensors, [
      ...rules,
      [/^features\.0\.0\./, "conv_stem."],
      [/^features\.0\.1\./, "bn1."],
      [/^features\.8\.0\./, "conv_head."],
      [/^features\.8\.1\./, "bn2."],
      [/^classifier\.1\./, "classifier."],
    ]);
  },
};

/** Blocks of each of timm's stages, by how many there are in all: MobileNetV3 small and large. */
const mobileStages: Readonly<Record<number, readonly number[]>> = {
  11: [1, 2, 3, 2, 3],
  15: [1, 2, 3, 4, 2, 3],
};

/** torchvision's batch norm of MobileNetV3 adds this to the variance, and timm's that. */
const EPSILON = { torchvision: 1e-3, timm: 1e-5 } as const;

/**
 * torchvision's `mobilenet_v3_small` and `_large` → timm's MobileNetV3: blocks in stages, the first linear layer of the
 * head as a 1×1 convolution, and the other epsilon of the batch norms put into their running variance, so that an
 * evaluation gives the same numbers.
 */
export const torchvisionMobilenet: Importer = {
  format: "torchvision mobilenet_v3",
  framework: "pytorch",
  marks: ["features.1.block.0.0.weight", "classifier.3.weight"],
  convert: (tensors) => {
    const blocks = prefixes(tensors, /^(features\.\d+)\.block\./);
    const stages = mobileStages[blocks.length];
    if (stages === undefined) {
      throw new ThawError(`a MobileNetV3 of ${blocks.length} blocks, which is not known`, {
        hint: `Thaw knows those of ${Object.keys(mobileStages).join(" and ")} blocks.`,
      });
    }
    const places = stages.flatMap((count, stage) =>
      Array.from({ length: count }, (_, i) => `blocks.${stage}.${i}`),
    );
    const last = `features.${blocks.length + 1}`;
    const rules: Rule[] = [
      ...blocks.flatMap((from, i) => blockRules(tensors, from, places[i]!)),
      [/^features\.0\.0\./, "conv_stem."],
      [/^features\.0\.1\./, "bn1."],
      [starting(`${last}.0.`), `blocks.${stages.length}.0.conv.`],
      [starting(`${last}.1.`), `blocks.${stages.length}.0.bn1.`],
      [/^classifier\.0\./, "conv_head."],
      [/^classifier\.3\./, "classifier."],
    ];
    return new Map([...tensors].map(([key, t]) => [renamed(key, rules), adjusted(key, t)]));
  },
};

function adjusted(key: string, tensor: TensorData): TensorData {
  if (key === "classifier.0.weight" && tensor.shape.length === 2) {
    return { ...tensor, shape: [...tensor.shape, 1, 1] };
  }
  if (!key.endsWith(".running_var") || tensor.dtype !== "F32") return tensor;
  const bytes = Uint8Array.from(tensor.bytes);
  const values = new Float32Array(bytes.buffer);
  for (let i = 0; i < values.length; i++) values[i]! += EPSILON.torchvision - EPSILON.timm;
  return { ...tensor, bytes };
}
