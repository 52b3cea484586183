import type { Importer } from "../importer.ts";
import { type Rule, renamed } from "./rename.ts";

/** Stem and downsampling stand at even places of `features`, the stages between them at odd ones. */
const rules: readonly Rule[] = [
  [/^features\.0\.([01])\./, "stem.$1."],
  ...[1, 2, 3].map((i): Rule => [new RegExp(`^features\\.${2 * i}\\.`), `stages.${i}.downsample.`]),
  ...[0, 1, 2, 3].flatMap((i): Rule[] => {
    const block = `^features\\.${2 * i + 1}\\.(\\d+)\\.`;
    const to = `stages.${i}.blocks.$1.`;
    return [
      [new RegExp(`${block}layer_scale$`), `${to}gamma`],
      [new RegExp(`${block}block\\.0\\.`), `${to}conv_dw.`],
      [new RegExp(`${block}block\\.2\\.`), `${to}norm.`],
      [new RegExp(`${block}block\\.3\\.`), `${to}mlp.fc1.`],
      [new RegExp(`${block}block\\.5\\.`), `${to}mlp.fc2.`],
    ];
  }),
  [/^classifier\.0\./, "head.norm."],
  [/^classifier\.2\./, "head.fc."],
];

/** torchvision's `convnext_tiny` and its siblings → timm's ConvNeXt, whose layer scale is flat. */
export const torchvisionConvnext: Importer = {
  format: "torchvision convnext",
  marks: ["features.1.0.layer_scale", "classifier.2.weight"],
  convert: (tensors) =>
    new Map(
      [...tensors].map(([key, tensor]) => {
        const isScale = key.endsWith(".layer_scale") && tensor.shape.length === 3;
        const flat = isScale ? { ...tensor, shape: [tensor.shape[0]!] } : tensor;
        return [renamed(key, rules), flat];
      }),
    ),
};
