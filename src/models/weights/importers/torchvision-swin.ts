import type { Importer } from "../importer.ts";
import { type Rule, renameAll } from "./rename.ts";

/** Stages stand at odd places of `features`; what timm counts as a stage's downsampling stands before it. */
const rules: readonly Rule[] = [
  [/^features\.0\.0\./, "patch_embed.proj."],
  [/^features\.0\.2\./, "patch_embed.norm."],
  ...[1, 2, 3].map((i): Rule => [new RegExp(`^features\\.${2 * i}\\.`), `layers.${i}.downsample.`]),
  ...[0, 1, 2, 3].flatMap((i): Rule[] => {
    const block = `^features\\.${2 * i + 1}\\.(\\d+)\\.`;
    const to = `layers.${i}.blocks.$1.`;
    return [
      [new RegExp(`${block}mlp\\.0\\.`), `${to}mlp.fc1.`],
      [new RegExp(`${block}mlp\\.3\\.`), `${to}mlp.fc2.`],
      [new RegExp(block), to],
    ];
  }),
  [/^head\./, "head.fc."],
];

/** torchvision's `swin_t` and its siblings → timm's Swin, which computes the index of relative positions itself. */
export const torchvisionSwin: Importer = {
  format: "torchvision swin",
  marks: ["features.1.0.attn.relative_position_bias_table", "head.weight"],
  convert: (tensors) => {
    const kept = [...tensors].filter(([key]) => !key.endsWith(".relative_position_index"));
    return renameAll(new Map(kept), rules);
  },
};
