import type { GalleryPicture } from "./gallery.ts";

/**
 * A map of 0 to 1 over its picture, which becomes grey: from transparent over blue and orange to yellow, colours that
 * differ in lightness as well. RGB [height, width, 3].
 */
export function heatOver(
  { pixels, width, height }: GalleryPicture,
  map: ArrayLike<number>,
): GalleryPicture {
  const channels = pixels.length / (width * height);
  const result = new Uint8ClampedArray(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    let grey = 0;
    for (let c = 0; c < channels; c++) grey += pixels[i * channels + c]! / channels;
    const value = Math.min(1, Math.max(0, map[i]!));
    const opacity = 0.75 * Math.min(1, 2.5 * value);
    const color = colorAt(value);
    for (let c = 0; c < 3; c++) {
      result[3 * i + c] = (1 - opacity) * (0.8 * grey) + opacity * color[c]!;
    }
  }
  return { pixels: new Uint8Array(result.buffer), width, height };
}

/** Blue, vermilion, yellow of Okabe and Ito. */
const stops = [
  [0, 114, 178],
  [213, 94, 0],
  [240, 228, 66],
] as const;

function colorAt(value: number): readonly number[] {
  const at = value * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(at));
  const share = at - from;
  return stops[from]!.map((c, i) => (1 - share) * c + share * stops[from + 1]![i]!);
}
