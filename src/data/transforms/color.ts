import { PixelBuffer } from "../images/decode.ts";
import type { Raster } from "./raster.ts";

// torchvision's functional operators on uint8 tensors, in place. Their arithmetic is float32 and cuts off, so
// that it is done here in float32 too; Pillow's operators of the same names differ by one in places.
const { fround } = Math;

/** `_blend`: ratio · a + (1 - ratio) · b, of 0..255. */
function blended(a: number, b: number, ratio: number, rest: number): number {
  const value = fround(fround(ratio * a) + fround(rest * b));
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
}

/** Each value replaced by what `table` says of it, in all channels or in one. */
function lookUp(image: Raster, table: Uint8Array, channel?: number): void {
  const { values, channels, height, width, plane, step } = image;
  if (channel === undefined) {
    for (let i = 0; i < values.length; i++) values[i] = table[values[i]!]!;
    return;
  }
  if (channel >= channels) return;
  const end = channel * plane + height * width * step;
  for (let i = channel * plane; i < end; i += step) values[i] = table[values[i]!]!;
}

function tableOf(of: (value: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, value) => of(value));
}

/** Factor 0: black; 1: as it is; more: brighter. */
export function adjustBrightness(image: Raster, factor: number): void {
  const [ratio, rest] = [fround(factor), fround(1 - factor)];
  lookUp(
    image,
    tableOf((value) => blended(value, 0, ratio, rest)),
  );
}

/** ITU-R 601-2 luma, cut off. */
function grey(r: number, g: number, b: number): number {
  return Math.trunc(fround(fround(fround(RED * r) + fround(GREEN * g)) + fround(BLUE * b)));
}
const [RED, GREEN, BLUE] = [fround(0.2989), fround(0.587), fround(0.114)];

/** Factor 0: all of the mean of its grey; 1: as it is. */
export function adjustContrast(image: Raster, factor: number): void {
  const { values, channels, height, width, plane, step } = image;
  const count = height * width;
  let sum = 0;
  if (channels === 3) {
    for (let i = 0, at = 0; i < count; i++, at += step) {
      sum += grey(values[at]!, values[at + plane]!, values[at + 2 * plane]!);
    }
  } else {
    for (let i = 0; i < values.length; i++) sum += values[i]!;
  }
  const mean = fround(fround(sum) / count);
  const [ratio, rest] = [fround(factor), fround(1 - factor)];
  lookUp(
    image,
    tableOf((value) => blended(value, mean, ratio, rest)),
  );
}

/** Factor 0: grey; 1: as it is. An image of one channel stays as it is. */
export function adjustSaturation(image: Raster, factor: number): void {
  const { values, channels, height, width, plane, step } = image;
  if (channels !== 3) return;
  const [ratio, rest] = [fround(factor), fround(1 - factor)];
  for (let i = 0, at = 0; i < height * width; i++, at += step) {
    const r = values[at]!;
    const g = values[at + plane]!;
    const b = values[at + 2 * plane]!;
    const to = grey(r, g, b);
    values[at] = blended(r, to, ratio, rest);
    values[at + plane] = blended(g, to, ratio, rest);
    values[at + 2 * plane] = blended(b, to, ratio, rest);
  }
}

/** Turns the hue by `factor` of the circle, -0.5..0.5. An image of one channel stays as it is. */
export function adjustHue(image: Raster, factor: number): void {
  const { values, channels, height, width, plane, step } = image;
  if (channels !== 3) return;
  const turn = fround(factor);
  for (let i = 0, at = 0; i < height * width; i++, at += step) {
    const r = fround(values[at]! / 255);
    const g = fround(values[at + plane]! / 255);
    const b = fround(values[at + 2 * plane]! / 255);
    const most = Math.max(r, g, b);
    const range = fround(most - Math.min(r, g, b));
    const saturation = range === 0 ? 0 : fround(range / most);
    const hue = remainder(fround(hueOf(r, g, b, most, range === 0 ? 1 : range) + turn));
    const sixth = fround(hue * 6);
    const sector = Math.floor(sixth);
    const within = fround(sixth - sector);
    const rest = fround(1 - within);
    const p = byte(unit(fround(most * fround(1 - saturation))));
    const q = byte(unit(fround(most * fround(1 - fround(saturation * within)))));
    const t = byte(unit(fround(most * fround(1 - fround(saturation * rest)))));
    const v = byte(most);
    const s = sector % 6;
    values[at] = s === 0 || s === 5 ? v : s === 1 ? q : s === 4 ? t : p;
    values[at + plane] = s === 1 || s === 2 ? v : s === 0 ? t : s === 3 ? q : p;
    values[at + 2 * plane] = s === 3 || s === 4 ? v : s === 2 ? t : s === 5 ? q : p;
  }
}

/** `_rgb2hsv`: share of the circle, 0..1. */
function hueOf(r: number, g: number, b: number, most: number, range: number): number {
  const rc = fround(fround(most - r) / range);
  const gc = fround(fround(most - g) / range);
  const bc = fround(fround(most - b) / range);
  const sixths =
    most === r
      ? fround(bc - gc)
      : most === g
        ? fround(fround(2 + rc) - bc)
        : fround(fround(4 + gc) - rc);
  return fround(fround(fround(sixths / 6) + 1) % 1);
}

/** Python's `% 1`. */
const remainder = (value: number): number => {
  const rest = value % 1;
  return rest < 0 ? fround(rest + 1) : rest;
};
const unit = (value: number): number => Math.min(Math.max(value, 0), 1);
const byte = (value: number): number => Math.trunc(fround(value * 255));

/** Keeps the `bits` highest bits, 0..8. */
export function posterize(image: Raster, bits: number): void {
  const mask = -(2 ** (8 - bits)) & 255;
  const { values } = image;
  for (let i = 0; i < values.length; i++) values[i] = values[i]! & mask;
}

/** Inverts what is at least as bright as `threshold`. */
export function solarize(image: Raster, threshold: number): void {
  lookUp(
    image,
    tableOf((value) => (value >= threshold ? 255 - value : value)),
  );
}

/** How often each value is there in a channel. */
function histogram({ values, height, width, plane, step }: Raster, channel: number): Int32Array {
  const counts = new Int32Array(256);
  const end = channel * plane + height * width * step;
  for (let i = channel * plane; i < end; i += step) counts[values[i]!]!++;
  return counts;
}

/** Each channel stretched so that its darkest value is 0 and its brightest 255. */
export function autocontrast(image: Raster): void {
  for (let c = 0; c < image.channels; c++) {
    const counts = histogram(image, c);
    const least = counts.findIndex((count) => count > 0);
    const most = counts.findLastIndex((count) => count > 0);
    if (least === most) continue;
    const scale = fround(255 / (most - least));
    lookUp(
      image,
      tableOf((value) => Math.min(255, Math.trunc(fround((value - least) * scale)))),
      c,
    );
  }
}

/** Each channel's values spread so that every one is as frequent, as far as that goes. */
export function equalize(image: Raster): void {
  for (let c = 0; c < image.channels; c++) {
    const counts = histogram(image, c);
    const last = counts.findLast((count) => count > 0)!;
    const step = Math.floor((image.height * image.width - last) / 255);
    if (step === 0) continue;
    const table = new Uint8Array(256);
    let sum = Math.floor(step / 2);
    for (let value = 0; value < 255; value++) {
      sum += counts[value]!;
      table[value + 1] = Math.min(255, Math.floor(sum / step));
    }
    lookUp(image, table, c);
  }
}

const before = new PixelBuffer();

/** Factor 0: smoothed but for the border; 1: as it is; more: sharper. */
export function adjustSharpness(image: Raster, factor: number): void {
  const { values, channels, height, width, plane, step } = image;
  if (height <= 2 || width <= 2) return;
  const source = before.take(values.length);
  source.set(values);
  const [ratio, rest] = [fround(factor), fround(1 - factor)];
  const row = width * step;
  const table = tableOf((value) => blended(value, value, ratio, rest));
  lookUp(image, table);
  for (let c = 0; c < channels; c++) {
    for (let y = 1; y < height - 1; y++) {
      let at = c * plane + y * row + step;
      for (let x = 1; x < width - 1; x++, at += step) {
        const around =
          source[at - row - step]! +
          source[at - row]! +
          source[at - row + step]! +
          source[at - step]! +
          source[at + step]! +
          source[at + row - step]! +
          source[at + row]! +
          source[at + row + step]!;
        const smooth = Math.round((around + 5 * source[at]!) / 13);
        values[at] = blended(source[at]!, smooth, ratio, rest);
      }
    }
  }
}
