import { type RandomStream, shuffle } from "../random.ts";
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from "./color.ts";
import type { Raster } from "./raster.ts";

/** `ColorJitter` by torchvision's parameters: how far each factor may go from 1, the hue from 0. */
export interface ColorJitter {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  /** Share of the circle, at most 0.5. */
  readonly hue: number;
}

const adjust = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
} as const satisfies Record<keyof ColorJitter, (image: Raster, factor: number) => void>;

const names = Object.keys(adjust) as readonly (keyof ColorJitter)[];

/** torchvision's `ColorJitter.get_params`: what is changed, in a drawn order, and by which factor. */
export function drawJitter(
  jitter: ColorJitter,
  random: RandomStream,
): { name: keyof ColorJitter; factor: number }[] {
  const order = shuffle(names.length, random);
  const factors = names.map((name) => {
    const most = jitter[name];
    if (most === 0) return undefined;
    return name === "hue"
      ? random.uniform(-most, most)
      : random.uniform(Math.max(0, 1 - most), 1 + most);
  });
  return [...order].flatMap((i) => {
    const factor = factors[i];
    return factor === undefined ? [] : [{ name: names[i]!, factor }];
  });
}

export function jitterColors(image: Raster, jitter: ColorJitter, random: RandomStream): void {
  for (const { name, factor } of drawJitter(jitter, random)) adjust[name](image, factor);
}
