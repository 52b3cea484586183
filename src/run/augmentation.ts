import { type Augmentation, isAugmented } from "../data/transforms/augment.ts";
import type { AutoAugment } from "../data/transforms/auto-augment.ts";
import type { ColorJitter } from "../data/transforms/color-jitter.ts";
import type { Mix } from "../data/transforms/mix.ts";
import { type TrainConfig, trainConfigSchema } from "./config.ts";

/** Keys of a config that change training images one by one. */
export const augmentationKeys = [
  "augment",
  "affine",
  "aa",
  "aaNumOps",
  "aaMagnitude",
  "aaBins",
  "colorJitter",
  "reprob",
  "remode",
] as const satisfies readonly (keyof TrainConfig)[];

type Given = Pick<TrainConfig, (typeof augmentationKeys)[number]>;

/** How a config changes each training image. */
export function augmentationOf(config: Given): Augmentation {
  const { augment, affine, colorJitter, reprob = 0, remode = "const" } = config;
  const auto = autoAugmentOf(config);
  return {
    ...augment,
    ...(affine && { affine }),
    ...(auto && { auto }),
    ...(colorJitter && { jitter: jitterOf(colorJitter) }),
    ...(reprob > 0 && { erasing: { p: reprob, value: remode } }),
  };
}

function autoAugmentOf({ aa, aaNumOps, aaMagnitude, aaBins }: Given): AutoAugment | undefined {
  const bins = aaBins!;
  if (aa === "trivialaugmentwide") return { kind: aa, bins };
  if (aa !== "randaugment") return undefined;
  return { kind: aa, numOps: aaNumOps!, magnitude: aaMagnitude!, bins };
}

/** As timm reads it: one value is for brightness, contrast and saturation, and leaves the hue. */
function jitterOf(values: readonly number[]): ColorJitter {
  const [brightness = 0, contrast = brightness, saturation = brightness, hue = 0] = values;
  return { brightness, contrast, saturation, hue };
}

/** How a config mixes the images of a training batch, if it does. */
export function mixOf({ mixup = 0, cutmix = 0 }: Pick<TrainConfig, "mixup" | "cutmix">) {
  const mix: Mix = { mixup, cutmix };
  return mixup > 0 || cutmix > 0 ? mix : undefined;
}

/** The same training on images as judging sees them. */
export function withoutAugmentation(config: TrainConfig): TrainConfig {
  const changes = new Set<string>([...augmentationKeys, ...cropKeys, "mixup", "cutmix", "views"]);
  const rest = Object.entries(config).filter(([key]) => !changes.has(key));
  return {
    ...Object.fromEntries(rest),
    augment: trainConfigSchema.shape.augment.parse(undefined),
  } as TrainConfig;
}

/** Keys of how photographs are cropped and mirrored as they are read. */
const cropKeys = ["scale", "ratio", "hflip"] as const satisfies readonly (keyof TrainConfig)[];

/** Do training images look different in every epoch? */
export function changesImages(config: Given & Pick<TrainConfig, "scale">): boolean {
  return config.scale !== undefined || isAugmented(augmentationOf(config));
}

/** What frozen stages give is computed once where they see the same pixels again. */
export function cachesFeatures(config: TrainConfig): boolean {
  const { strategy, featureCache, views } = config;
  if (featureCache !== true) return false;
  if (strategy === "freeze") return views !== undefined || !changesImages(config);
  return strategy === "partial" && !changesImages(config) && mixOf(config) === undefined;
}

/** What no single key shows. */
export function augmentationProblems(
  config: TrainConfig,
  label: (path: readonly string[]) => string,
): string[] {
  const problems: string[] = [];
  const { affine, aaMagnitude = 0, aaBins = 2, colorJitter, reprob = 0, remode } = config;
  const [least = 1, most = 1] = affine?.scale ?? [];
  if (least > most)
    problems.push(`${label(["affine", "scale"])}: from ${least} to ${most} is empty`);
  const { shear = [0] } = affine ?? {};
  if (shear.length === 3) {
    problems.push(`${label(["affine", "shear"])}: 3 values given; allowed: 1, 2 or 4`);
  }
  for (const i of [0, 2]) {
    if (shear.length === 3 || !(shear[i]! > shear[i + 1]!)) continue;
    problems.push(`${label(["affine", "shear"])}: from ${shear[i]} to ${shear[i + 1]} is empty`);
  }
  if (shear.length === 1 && shear[0]! < 0) {
    problems.push(`${label(["affine", "shear"])}: one value is the most either way, not below 0`);
  }
  if (aaMagnitude >= aaBins) {
    problems.push(
      `${label(["aaMagnitude"])}: ${aaMagnitude} is past the last of ${aaBins} bins, ${aaBins - 1}`,
    );
  }
  if (colorJitter?.length === 2) {
    problems.push(`${label(["colorJitter"])}: 2 values given; allowed: 1, 3 or 4`);
  }
  if ((colorJitter?.[3] ?? 0) > 0.5) {
    problems.push(`${label(["colorJitter"])}: a hue of ${colorJitter![3]}; allowed: up to 0.5`);
  }
  if (remode !== undefined && reprob === 0) {
    problems.push(`${label(["remode"])}: nothing is erased; give --reprob`);
  }
  return [...problems, ...mixProblems(config, label)];
}

function mixProblems(config: TrainConfig, label: (path: readonly string[]) => string): string[] {
  if (mixOf(config) === undefined) return [];
  const at = label([(config.mixup ?? 0) > 0 ? "mixup" : "cutmix"]);
  if (config.batchSize === 1) {
    return [`${at}: images of a batch are mixed, and --batch-size 1 leaves nothing to mix with`];
  }
  if (cachesFeatures(config)) {
    return [`${at}: features of a frozen backbone are computed once; give --no-feature-cache`];
  }
  return [];
}
