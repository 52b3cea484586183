import { resample } from "../../tensor/index.ts";
import { type Crop, type CropPlace, cropAt, resizedTo } from "../transforms/crops.ts";
import { PixelBuffer } from "./decode.ts";

/** RGB of 8 bits: pixels [height, width, 3]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Pillow's filters, antialiased. */
export type Interpolation = "bilinear" | "bicubic";

const cropped = new PixelBuffer();

/** The crop's pixels alone, for a filter that must not look past it; valid until the next call. */
function cut({ width, pixels }: Picture, crop: Crop): Picture {
  const row = crop.width * 3;
  const result = cropped.take(crop.height * row);
  for (let y = 0; y < crop.height; y++) {
    const from = ((crop.top + y) * width + crop.left) * 3;
    result.set(pixels.subarray(from, from + row), y * row);
  }
  return { width: crop.width, height: crop.height, pixels: result };
}

/** torchvision's `resized_crop`: cut, then resized to `to`, [size, 3]. */
export function resizedCrop(
  picture: Picture,
  crop: Crop,
  to: Uint8Array,
  size: readonly [height: number, width: number],
  interpolation: Interpolation,
): void {
  const isWhole = crop.width === picture.width && crop.height === picture.height;
  const { width, height, pixels } = isWhole ? picture : cut(picture, crop);
  resample(pixels, [height, width], to, size, 3, [0, 0, width, height], interpolation);
}

/**
 * torchvision's `Resize(shorter)` and `CenterCrop(size)`, or a crop of `FiveCrop(size)`, in one: only what the
 * crop keeps is computed. A crop larger than the resized picture keeps the whole, stretched.
 */
export function resizeAndCrop(
  picture: Picture,
  shorter: number,
  to: Uint8Array,
  size: readonly [height: number, width: number],
  interpolation: Interpolation,
  place: CropPlace = "center",
): void {
  const { width, height, pixels } = picture;
  const box = cropBox([height, width], shorter, size, place);
  resample(pixels, [height, width], to, size, 3, box, interpolation);
}

/** What of a resized picture a crop keeps: left, top, right and bottom, in its own pixels. */
export function cropBox(
  [height, width]: readonly [height: number, width: number],
  shorter: number,
  size: readonly [height: number, width: number],
  place: CropPlace,
): readonly [number, number, number, number] {
  const resized = resizedTo([height, width], shorter);
  const [down, across] = [height / resized[0], width / resized[1]];
  const { top, left } = cropAt(resized, size, place);
  return [
    Math.max(0, left * across),
    Math.max(0, top * down),
    Math.min(width, (left + size[1]) * across),
    Math.min(height, (top + size[0]) * down),
  ];
}

/** The picture with its shorter side reduced to `shorter`; as it is where that is no reduction. */
export function reduceTo(
  picture: Picture,
  shorter: number,
  interpolation: Interpolation,
  buffer: PixelBuffer,
): Picture {
  const { width, height, pixels } = picture;
  if (Math.min(width, height) <= shorter) return picture;
  const [h, w] = resizedTo([height, width], shorter);
  const reduced = buffer.take(h * w * 3);
  resample(pixels, [height, width], reduced, [h, w], 3, [0, 0, width, height], interpolation);
  return { width: w, height: h, pixels: reduced };
}

/** Left and right exchanged, in place. */
export function mirror(pixels: Uint8Array, [height, width]: readonly [number, number]): void {
  for (let y = 0; y < height; y++) {
    let a = y * width * 3;
    let b = a + (width - 1) * 3;
    for (; a < b; a += 3, b -= 3) {
      for (let c = 0; c < 3; c++) {
        const value = pixels[a + c]!;
        pixels[a + c] = pixels[b + c]!;
        pixels[b + c] = value;
      }
    }
  }
}
