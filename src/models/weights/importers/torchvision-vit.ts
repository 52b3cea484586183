import type { Importer } from "../importer.ts";
import { type Rule, renameAll } from "./rename.ts";

const layer = "^encoder\\.layers\\.encoder_layer_(\\d+)\\.";
const rules: readonly Rule[] = [
  [/^class_token$/, "cls_token"],
  [/^conv_proj\./, "patch_embed.proj."],
  [/^encoder\.pos_embedding$/, "pos_embed"],
  [new RegExp(`${layer}ln_([12])\\.`), "blocks.$1.norm$2."],
  [new RegExp(`${layer}self_attention\\.in_proj_`), "blocks.$1.attn.qkv."],
  [new RegExp(`${layer}self_attention\\.out_proj\\.`), "blocks.$1.attn.proj."],
  // Linear layers had names before torchvision 0.12.
  [new RegExp(`${layer}mlp\\.(?:0|linear_1)\\.`), "blocks.$1.mlp.fc1."],
  [new RegExp(`${layer}mlp\\.(?:3|linear_2)\\.`), "blocks.$1.mlp.fc2."],
  [/^encoder\.ln\./, "norm."],
  [/^heads\.head\./, "head."],
];

/** torchvision's `vit_b_16` and its siblings → timm's ViT. */
export const torchvisionVit: Importer = {
  format: "torchvision vit",
  marks: ["class_token", "encoder.pos_embedding"],
  convert: (tensors) => renameAll(tensors, rules),
};
