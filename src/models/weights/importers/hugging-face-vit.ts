import { ThawError } from "../../../errors.ts";
import type { Importer } from "../importer.ts";
import type { TensorData } from "../safetensors.ts";
import { type Rule, renamed } from "./rename.ts";

const PARTS = ["query", "key", "value"] as const;
type Part = (typeof PARTS)[number];

const SPLIT =
  /^vit\.encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.(weight|bias)$/;

/** transformers' names and timm's; what follows a name (`.weight`) stays. */
const rules: readonly Rule[] = [
  [/^vit\.embeddings\.cls_token$/, "cls_token"],
  [/^vit\.embeddings\.position_embeddings$/, "pos_embed"],
  [/^vit\.embeddings\.patch_embeddings\.projection\./, "patch_embed.proj."],
  [/^vit\.encoder\.layer\.(\d+)\.attention\.output\.dense\./, "blocks.$1.attn.proj."],
  [/^vit\.encoder\.layer\.(\d+)\.intermediate\.dense\./, "blocks.$1.mlp.fc1."],
  [/^vit\.encoder\.layer\.(\d+)\.output\.dense\./, "blocks.$1.mlp.fc2."],
  [/^vit\.encoder\.layer\.(\d+)\.layernorm_before\./, "blocks.$1.norm1."],
  [/^vit\.encoder\.layer\.(\d+)\.layernorm_after\./, "blocks.$1.norm2."],
  [/^vit\.layernorm\./, "norm."],
  [/^classifier\./, "head."],
];

/** transformers' ViT: as timm's but for names, and with queries, keys and values in three tensors. */
export const huggingFaceViT: Importer = {
  format: "Hugging Face ViTForImageClassification",

  marks: ["vit.embeddings.cls_token", "vit.encoder.layer.0.attention.attention.query.weight"],

  /** @throws ThawError where a layer lacks one of query, key and value, or they do not fit together. */
  convert(tensors) {
    const converted = new Map<string, TensorData>();
    const split = new Map<string, Partial<Record<Part, TensorData>>>();
    for (const [key, tensor] of tensors) {
      const [, layer, part, kind] = SPLIT.exec(key) ?? [];
      if (part === undefined) {
        converted.set(renamed(key, rules), tensor);
        continue;
      }
      const name = `blocks.${layer}.attn.qkv.${kind}`;
      split.set(name, { ...split.get(name), [part]: tensor });
    }
    for (const [name, parts] of split) converted.set(name, joined(name, parts));
    return converted;
  },
};

/** The three one after the other in their first dimension, which lies outermost in memory. */
function joined(name: string, parts: Partial<Record<Part, TensorData>>): TensorData {
  const [first, ...others] = PARTS.map((part) => {
    const tensor = parts[part];
    if (tensor === undefined) throw new ThawError(`${name}: the checkpoint has no ${part} for it`);
    return tensor;
  }) as [TensorData, TensorData, TensorData];
  for (const { dtype, shape } of others) {
    if (dtype !== first.dtype || shape.join() !== first.shape.join()) {
      throw new ThawError(
        `${name}: query is ${first.dtype} [${first.shape.join(", ")}], key or value ${dtype} [${shape.join(", ")}]`,
      );
    }
  }
  const [rows = 0, ...rest] = first.shape;
  const bytes = new Uint8Array(Buffer.concat([first, ...others].map((tensor) => tensor.bytes)));
  return { dtype: first.dtype, shape: [3 * rows, ...rest], bytes };
}
