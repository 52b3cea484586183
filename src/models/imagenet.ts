import type { Preprocessing } from "./spec.ts";

/** Means and deviations of ImageNet's channels, of pixel/255; timm's IMAGENET_DEFAULT_MEAN and _STD. */
export const imagenetStatistics = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;

/** Half for every channel, which maps pixels to -1..1; timm's IMAGENET_INCEPTION_MEAN and _STD. */
export const inceptionStatistics = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

/** The usual 224 pixels with ImageNet's statistics; `change` names what differs. */
export function imagenetPreprocessing(change: Partial<Preprocessing> = {}): Preprocessing {
  return {
    size: [224, 224],
    crop: 0.875,
    interpolation: "bilinear",
    ...imagenetStatistics,
    ...change,
  };
}
