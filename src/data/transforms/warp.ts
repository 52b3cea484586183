import { PixelBuffer } from "../images/decode.ts";
import type { Raster } from "./raster.ts";

/** Output → input, in pixels from the centre: x' = a·x + b·y + c, y' = d·x + e·y + f. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export interface Affine {
  /** Degrees, clockwise. */
  readonly angle: number;
  /** Pixels. */
  readonly translate: readonly [x: number, y: number];
  readonly scale: number;
  /** Degrees. */
  readonly shear: readonly [x: number, y: number];
  /** Pixels from the image's centre; default the centre itself. */
  readonly center?: readonly [x: number, y: number];
}

const RADIANS = Math.PI / 180;

/** torchvision's `_get_inverse_affine_matrix`. */
export function inverseAffine({ angle, translate, scale, shear, center }: Affine): Matrix {
  const [rotation, sx, sy] = [angle * RADIANS, shear[0] * RADIANS, shear[1] * RADIANS];
  const [cx, cy] = center ?? [0, 0];
  const [dx, dy] = [-cx - translate[0], -cy - translate[1]];
  const a = Math.cos(rotation - sy) / Math.cos(sy);
  const b = (-Math.cos(rotation - sy) * Math.tan(sx)) / Math.cos(sy) - Math.sin(rotation);
  const c = Math.sin(rotation - sy) / Math.cos(sy);
  const d = (-Math.sin(rotation - sy) * Math.tan(sx)) / Math.cos(sy) + Math.cos(rotation);
  const [m0, m1, m3, m4] = [d / scale, -b / scale, -c / scale, a / scale];
  return [m0, m1, m0 * dx + m1 * dy + cx, m3, m4, m3 * dx + m4 * dy + cy];
}

/** torchvision's `rotate`: degrees, counter-clockwise. */
export function rotate(image: Raster, degrees: number): void {
  warp(image, inverseAffine({ angle: -degrees, translate: [0, 0], scale: 1, shear: [0, 0] }));
}

const before = new PixelBuffer();
/** Adding and taking it away leaves a whole number, halves to even. */
const ROUND = 3 * 2 ** 51;

/**
 * The image seen through `matrix`, in place: nearest pixel, black outside. Computed in float32 as
 * torchvision's `affine_grid` and `grid_sample` compute it, since on the border between two pixels the last
 * bit decides.
 */
export function warp(
  { values, channels, height, width, plane, step }: Raster,
  matrix: Matrix,
): void {
  const source = before.take(values.length);
  source.set(values);
  const { fround } = Math;
  const [halfWidth, halfHeight] = [width / 2, height / 2];
  const [ax, bx, cx, ay, by, cy] = matrix.map((value, i) =>
    fround(fround(value) / (i < 3 ? halfWidth : halfHeight)),
  ) as unknown as Matrix;
  for (let y = 0; y < height; y++) {
    const fromCenterY = y - halfHeight + 0.5;
    const [yx, yy] = [fromCenterY * bx, fromCenterY * by];
    let to = y * width * step;
    for (let x = 0; x < width; x++, to += step) {
      const fromCenterX = x - halfWidth + 0.5;
      // A product is exact in a double: rounded once with its sum, it is a fused multiply-add.
      const gridX = fround(fround(fround(fromCenterX * ax) + yx) + cx);
      const gridY = fround(fround(fround(fromCenterX * ay) + yy) + cy);
      const fromX = fround(fround(gridX + 1) * halfWidth - 0.5) + ROUND - ROUND;
      const fromY = fround(fround(gridY + 1) * halfHeight - 0.5) + ROUND - ROUND;
      const isInside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
      const from = isInside ? (fromY * width + fromX) * step : 0;
      for (let c = 0; c < channels; c++) {
        values[to + c * plane] = isInside ? source[from + c * plane]! : 0;
      }
    }
  }
}

/**
 * The window of the image's own size whose corner is at (top, left), in place, black outside; mirrored
 * left to right where asked.
 */
export function shift(
  { values, channels, height, width, plane, step }: Raster,
  {
    top,
    left,
    mirrored,
  }: { readonly top: number; readonly left: number; readonly mirrored: boolean },
): void {
  if (top === 0 && left === 0 && !mirrored) return;
  const source = before.take(values.length);
  source.set(values);
  const direction = mirrored ? -1 : 1;
  const first = (mirrored ? width - 1 : 0) + left;
  for (let y = 0; y < height; y++) {
    const fromY = y + top;
    const isRow = fromY >= 0 && fromY < height;
    for (let x = 0, fromX = first; x < width; x++, fromX += direction) {
      const isInside = isRow && fromX >= 0 && fromX < width;
      const to = (y * width + x) * step;
      const from = isInside ? (fromY * width + fromX) * step : 0;
      for (let c = 0; c < channels; c++) {
        values[to + c * plane] = isInside ? source[from + c * plane]! : 0;
      }
    }
  }
}
