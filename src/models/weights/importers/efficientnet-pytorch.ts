import type { Importer } from "../importer.ts";
import type { TensorData } from "../safetensors.ts";
import { type Rule, renameAll } from "./rename.ts";

/**
 * The package numbers all blocks through, timm those of a stage. Within a stage blocks give the same number of channels,
 * and adjacent stages give different ones, so the convolution that makes them says where a stage begins.
 */
function blockRules(tensors: ReadonlyMap<string, TensorData>): Rule[] {
  const rules: Rule[] = [];
  let [stage, index, channels] = [-1, 0, 0];
  for (let block = 0; ; block++) {
    const from = `_blocks.${block}.`;
    const out = tensors.get(`${from}_project_conv.weight`)?.shape[0];
    if (out === undefined) return rules;
    if (out === channels) index++;
    else [stage, index, channels] = [stage + 1, 0, out];
    const widens = tensors.has(`${from}_expand_conv.weight`);
    const layers = widens
      ? { _expand_conv: "conv_pw", _bn0: "bn1", _depthwise_conv: "conv_dw", _bn1: "bn2" }
      : { _depthwise_conv: "conv_dw", _bn1: "bn1" };
    const last = widens
      ? { _project_conv: "conv_pwl", _bn2: "bn3" }
      : { _project_conv: "conv_pw", _bn2: "bn2" };
    const squeeze = { _se_reduce: "se.conv_reduce", _se_expand: "se.conv_expand" };
    for (const [theirs, ours] of Object.entries({ ...layers, ...squeeze, ...last })) {
      const pattern = `^${from}${theirs}.`.replaceAll(".", "\\.");
      rules.push([new RegExp(pattern), `blocks.${stage}.${index}.${ours}.`]);
    }
  }
}

/**
 * The `efficientnet-pytorch` package and its offspring → timm's EfficientNet. Its networks are ports of TensorFlow's, so
 * that only timm's `tf_` models compute the same.
 */
export const efficientnetPytorch: Importer = {
  format: "efficientnet-pytorch",
  framework: "tensorflow",
  marks: ["_conv_stem.weight", "_blocks.0._depthwise_conv.weight"],
  convert: (tensors) =>
    renameAll(tensors, [
      ...blockRules(tensors),
      [/^_conv_stem\./, "conv_stem."],
      [/^_bn0\./, "bn1."],
      [/^_conv_head\./, "conv_head."],
      [/^_bn1\./, "bn2."],
      [/^_fc\./, "classifier."],
    ]),
};
