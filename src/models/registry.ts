import { nearest, UsageError } from "../errors.ts";
import { convnextTiny } from "./convnext.ts";
import {
  efficientnetB0,
  efficientnetB1,
  efficientnetB2,
  efficientnetB3,
  efficientnetLite0,
  tfEfficientnetB0,
  tfEfficientnetB1,
  tfEfficientnetB2,
  tfEfficientnetB3,
  tfEfficientnetLite0,
} from "./efficientnet.ts";
import { mobilenetv3Large100, mobilenetv3Small100, tfMobilenetv3 } from "./mobilenetv3.ts";
import { resnet18, resnet34, resnet50, resnet101 } from "./resnet.ts";
import { resnet20Cifar, resnet32Cifar, resnet44Cifar, resnet56Cifar } from "./resnet-cifar.ts";
import { simpleCnn } from "./simple-cnn.ts";
import type { Classifier, ModelOptions, ModelSpec } from "./spec.ts";
import { swinTiny } from "./swin.ts";
import {
  deitSmallPatch16,
  deitTinyPatch16,
  vitBasePatch16,
  vitBasePatch32,
  vitSmallPatch16,
  vitSmallPatch32,
  vitTinyPatch16,
} from "./vit.ts";

/** Every architecture; a new one is one file and one line here. Names as timm's. */
export const models = {
  convnext_tiny: convnextTiny,
  efficientnet_b0: efficientnetB0,
  efficientnet_b1: efficientnetB1,
  efficientnet_b2: efficientnetB2,
  efficientnet_b3: efficientnetB3,
  efficientnet_lite0: efficientnetLite0,
  mobilenetv3_large_100: mobilenetv3Large100,
  mobilenetv3_small_100: mobilenetv3Small100,
  tf_efficientnet_b0: tfEfficientnetB0,
  tf_efficientnet_b1: tfEfficientnetB1,
  tf_efficientnet_b2: tfEfficientnetB2,
  tf_efficientnet_b3: tfEfficientnetB3,
  tf_efficientnet_lite0: tfEfficientnetLite0,
  ...tfMobilenetv3,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet20_cifar: resnet20Cifar,
  resnet32_cifar: resnet32Cifar,
  resnet44_cifar: resnet44Cifar,
  resnet56_cifar: resnet56Cifar,
  simple_cnn: simpleCnn,
  vit_tiny_patch16_224: vitTinyPatch16,
  vit_small_patch16_224: vitSmallPatch16,
  vit_base_patch16_224: vitBasePatch16,
  vit_small_patch32_224: vitSmallPatch32,
  vit_base_patch32_224: vitBasePatch32,
  deit_tiny_patch16_224: deitTinyPatch16,
  deit_small_patch16_224: deitSmallPatch16,
  swin_tiny_patch4_window7_224: swinTiny,
} as const satisfies Record<string, ModelSpec>;

export type ModelName = keyof typeof models;
export const modelNames = Object.keys(models) as ModelName[];

/** @throws UsageError that names the nearest model. */
export function parseModelName(name: string): ModelName {
  if (Object.hasOwn(models, name)) return name as ModelName;
  const guess = nearest(name, modelNames);
  throw new UsageError(`unknown model "${name}"${guess ? `: did you mean ${guess}?` : ""}`, {
    hint: `models: ${modelNames.join(", ")}`,
  });
}

export function createModel(name: ModelName, options: ModelOptions): Classifier {
  return models[name].create(options);
}
