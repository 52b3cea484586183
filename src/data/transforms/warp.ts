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

/**
 * The image seen through `matrix`, in place: nearest pixel, black outside. Where a point falls on the border
 * between two pixels the last bit decides, so that there it is computed in float32 as torchvision computes it.
 */
export function warp(
  { values, channels, height, width, plane, step }: Raster,
  matrix: Matrix,
): void {
  const source = before.take(values.length);
  source.set(values);
  const [halfWidth, halfHeight] = [width / 2, height / 2];
  const across = gridRow(matrix[0], matrix[1], matrix[2], halfWidth);
  const down = gridRow(matrix[3], matrix[4], matrix[5], halfHeight);
  const doubt = Math.max(
    doubtOf(across, halfWidth, halfHeight),
    doubtOf(down, halfHeight, halfWidth),
  );
  const [dx, dy] = [across.x * halfWidth, down.x * halfHeight];
  for (let y = 0; y < height; y++) {
    const fromCenterY = y + 0.5 - halfHeight;
    const rowX = (across.y * fromCenterY + across.one + 1) * halfWidth;
    const rowY = (down.y * fromCenterY + down.one + 1) * halfHeight;
    let to = y * width * step;
    for (let x = 0; x < width; x++, to += step) {
      const fromCenterX = x + 0.5 - halfWidth;
      const pointX = dx * fromCenterX + rowX;
      const pointY = dy * fromCenterX + rowY;
      let from = -1;
      if (pointX > -doubt && pointX < width + doubt && pointY > -doubt && pointY < height + doubt) {
        let fromX = pointX | 0;
        let fromY = pointY | 0;
        // One by one: an array to take apart for each pixel costs more than the arithmetic.
        const restX = pointX - fromX;
        const restY = pointY - fromY;
        if (restX < doubt || restX > 1 - doubt || restY < doubt || restY > 1 - doubt) {
          fromX = nearestOf(across, halfWidth, fromCenterX, fromCenterY);
          fromY = nearestOf(down, halfHeight, fromCenterX, fromCenterY);
          if (fromX >= 0 && fromX < width && fromY >= 0 && fromY < height) {
            from = (fromY * width + fromX) * step;
          }
        } else from = (fromY * width + fromX) * step;
      }
      if (from < 0) for (let c = 0; c < channels; c++) values[to + c * plane] = 0;
      else for (let c = 0; c < channels; c++) values[to + c * plane] = source[from + c * plane]!;
    }
  }
}

/** One coordinate of torchvision's grid, from -1 to 1, as float32: x · (pixels across) + y · (down) + one. */
interface GridRow {
  readonly x: number;
  readonly y: number;
  readonly one: number;
}

const { fround } = Math;

function gridRow(x: number, y: number, one: number, half: number): GridRow {
  const scaled = (value: number) => fround(fround(value) / half);
  return { x: scaled(x), y: scaled(y), one: scaled(one) };
}

/** So near to a border, in pixels, float32 may be on its other side. */
function doubtOf({ x, y, one }: GridRow, half: number, other: number): number {
  const most = (Math.abs(x) + Math.abs(y)) * Math.max(half, other) + Math.abs(one) + 1;
  return half * most * 2 ** -21;
}

/** Adding and taking it away leaves a whole number, halves to even. */
const ROUND = 3 * 2 ** 51;

/** `affine_grid` and `grid_sample`. A product is exact in a double: rounded with its sum, it is a fused one. */
function nearestOf(row: GridRow, half: number, x: number, y: number): number {
  const grid = fround(fround(fround(x * row.x) + y * row.y) + row.one);
  return (fround(fround(grid + 1) * half - 0.5) + ROUND - ROUND) | 0;
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
  // Output columns [first, last) have an input; mirrored, columns are counted from the right.
  const first = Math.min(width, Math.max(0, -left));
  const last = Math.max(first, Math.min(width, width - left));
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const row = c * plane + y * width * step;
      const from = row + (top * width + left) * step;
      const start = mirrored ? row + (width - 1) * step : row;
      const forward = mirrored ? -step : step;
      const isRow = y + top >= 0 && y + top < height;
      const [begin, end] = isRow ? [first, last] : [0, 0];
      for (let x = 0; x < begin; x++) values[start + x * forward] = 0;
      for (let x = begin; x < end; x++) values[start + x * forward] = source[from + x * step]!;
      for (let x = end; x < width; x++) values[start + x * forward] = 0;
    }
  }
}
