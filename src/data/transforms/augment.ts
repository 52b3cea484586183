import type { RandomStream } from "../random.ts";
import { type AutoAugment, applyOperator, drawOperators } from "./auto-augment.ts";
import { type ColorJitter, jitterColors } from "./color-jitter.ts";
import { type RandomAffine, randomAffine } from "./random-affine.ts";
import type { RandomErasing } from "./random-erasing.ts";
import type { Raster } from "./raster.ts";
import { inverseAffine, rotate, shift, warp } from "./warp.ts";

/**
 * Changes made to training images, by torchvision's names and parameters, in this order; each image gets its
 * own draws, from a stream of its own. Plain data, so that it can be sent to a worker.
 */
export interface Augmentation {
  /** Pixels of black padding on every side before a random crop of the original size; 0: none. */
  readonly crop: number;
  /** Mirror half of the images left to right. */
  readonly flip: boolean;
  /** Largest rotation in degrees, either way, about the centre; nearest pixel, black outside; 0: none. */
  readonly rotation: number;
  readonly affine?: RandomAffine;
  readonly auto?: AutoAugment;
  readonly jitter?: ColorJitter;
  /** After normalisation. */
  readonly erasing?: RandomErasing;
}

/** Does it change anything that is still 8 bits? */
export function changesPixels(augment: Augmentation): boolean {
  const { crop, flip, rotation, affine, auto, jitter } = augment;
  return crop > 0 || flip || rotation > 0 || [affine, auto, jitter].some((part) => part);
}

/** Does it change anything at all? */
export function isAugmented(augment: Augmentation): boolean {
  return changesPixels(augment) || augment.erasing !== undefined;
}

/**
 * Changes an image in place: `RandomCrop(size, padding)`, `RandomHorizontalFlip`, `RandomRotation`,
 * `RandomAffine`, `RandAugment` or `TrivialAugmentWide`, `ColorJitter`. What is off draws nothing.
 */
export function augmentImage(image: Raster, augment: Augmentation, random: RandomStream): void {
  const { crop, flip, rotation, affine, auto, jitter } = augment;
  const top = crop > 0 ? random.int(0, 2 * crop + 1) - crop : 0;
  const left = crop > 0 ? random.int(0, 2 * crop + 1) - crop : 0;
  shift(image, { top, left, mirrored: flip && random.int(0, 2) === 1 });
  if (rotation > 0) rotate(image, random.uniform(-rotation, rotation));
  if (affine) warp(image, inverseAffine(randomAffine(affine, image, random)));
  if (auto) {
    for (const { name, magnitude } of drawOperators(auto, image, random)) {
      applyOperator(image, name, magnitude);
    }
  }
  if (jitter) jitterColors(image, jitter, random);
}
