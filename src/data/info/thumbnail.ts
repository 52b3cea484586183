/** Side of the grey thumbnails that images are compared by. */
export const THUMB = 28;
export const THUMB_BYTES = THUMB * THUMB;

/** One channel of an image: `values[offset + i * stride]`, row by row. */
export interface Plane {
  readonly values: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly offset?: number;
  readonly stride?: number;
}

/**
 * Each output pixel is the mean over the area it covers (box filter), whole or in part: [height, width]
 * in 0..255. Also enlarges, which repeats pixels.
 */
export function areaResize(
  { values, width, height, offset = 0, stride = 1 }: Plane,
  outWidth: number,
  outHeight: number,
  out: Uint8Array = new Uint8Array(outWidth * outHeight),
): Uint8Array {
  // Integrals up to each column's edge, of the rows so far: differences are the sums over an area.
  const edges = Float64Array.from({ length: outWidth + 1 }, (_, j) => (j * width) / outWidth);
  const above = new Float64Array(outWidth);
  const last = new Float64Array(outWidth);
  const row = new Float64Array(outWidth);
  const area = (width / outWidth) * (height / outHeight);
  let done = 0;
  for (let y = 0; y < height; y++) {
    rowSums(values, offset + y * width * stride, stride, edges, width, row);
    // Rows of the output that end inside this row of the input.
    for (let next = ((done + 1) * height) / outHeight; next <= y + 1 + 1e-9; ) {
      const share = Math.min(1, next - y);
      for (let j = 0; j < outWidth; j++) {
        const total = above[j]! + share * row[j]!;
        out[done * outWidth + j] = Math.round((total - last[j]!) / area);
        last[j] = total;
      }
      if (++done === outHeight) return out;
      next = ((done + 1) * height) / outHeight;
    }
    for (let j = 0; j < outWidth; j++) above[j]! += row[j]!;
  }
  return out;
}

/** The integral of a row between neighbouring edges. */
function rowSums(
  values: Uint8Array,
  start: number,
  stride: number,
  edges: Float64Array,
  width: number,
  out: Float64Array,
): void {
  let x = 0;
  let before = 0;
  let at = 0;
  for (let j = 0; j < out.length; j++) {
    const edge = edges[j + 1]!;
    const whole = Math.min(width, Math.floor(edge));
    for (; x < whole; x++) before += values[start + x * stride]!;
    const part = edge - whole;
    const integral =
      before + (part > 0 && whole < width ? part * values[start + whole * stride]! : 0);
    out[j] = integral - at;
    at = integral;
  }
}

/** Brightness (ITU-R BT.601, as Pillow's mode L) of RGB pixels. */
export function luma(rgb: Uint8Array, pixelStride = 3, planeStride = 1): Uint8Array {
  const grey = new Uint8Array(pixelStride === 1 ? rgb.length / 3 : rgb.length / pixelStride);
  for (let i = 0; i < grey.length; i++) {
    const at = i * pixelStride;
    const [r, g, b] = [rgb[at]!, rgb[at + planeStride]!, rgb[at + 2 * planeStride]!];
    grey[i] = (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16;
  }
  return grey;
}
