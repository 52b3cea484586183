import { ops, scope, Tensor } from "../../tensor/index.ts";
import { THUMB, THUMB_BYTES } from "./thumbnail.ts";

/**
 * Distance is 1 − r, with r the correlation of the pixels of two 28 × 28 grey thumbnails: 0 for copies
 * that differ in size, compression, brightness or contrast. Up to this, pairs of Fashion-MNIST look the
 * same to the eye; from twice as much on, most are other garments of one cut (docs/data.md).
 */
export const NEAR_DISTANCE = 0.005;

/** Images as good as of one grey have no pattern to compare. */
const FLAT_STD = 2;

export interface NearPair {
  /** a < b, rows of the thumbnails. */
  readonly a: number;
  readonly b: number;
  readonly distance: number;
}

export interface NearPairs {
  /** The nearest first. */
  readonly pairs: readonly NearPair[];
  /** Images left out because they are as good as of one grey. */
  readonly flat: number;
  /** More pairs than are kept: nearly everything is like everything. */
  readonly truncated: boolean;
}

/** A block of products stays in the CPU's cache. */
const ROWS = 512;
const COLUMNS = 1024;
const MAX_PAIRS = 200_000;

/**
 * All pairs of thumbnails [n, 28, 28] nearer than `most`, none missed.
 *
 * The squared distance of standardised thumbnails, over 784 pixels, is 1568 (1 − r). Averaging 2 × 2
 * pixels can only shrink it (to 1/4 or less, as there are 1/4 as many), and so can projecting on one
 * direction. So candidates are found on 14 × 14 pixels by matrix products, and only among images that
 * are near on the direction along which the images differ most; then r is computed from all pixels.
 */
export function nearPairs(
  thumbnails: Uint8Array,
  most = NEAR_DISTANCE,
  maxPairs = MAX_PAIRS,
): NearPairs {
  const n = thumbnails.length / THUMB_BYTES;
  const moments = momentsOf(thumbnails, n);
  const rows = Int32Array.from({ length: n }, (_, i) => i).filter(
    (i) => moments.std[i]! >= FLAT_STD,
  );
  const reduced = pooled(thumbnails, rows, moments);
  const limit = 392 * most;
  const projections = projectionsOf(reduced, rows.length);
  const order = Int32Array.from(rows.keys()).sort((a, b) => projections[a]! - projections[b]!);
  const sorted = order.map((i) => rows[i]!);
  const along = Float64Array.from(order, (i) => projections[i]!);
  const pairs: NearPair[] = [];
  let truncated = false;
  const consider = (i: number, j: number): void => {
    const [a, b] = [Math.min(sorted[i]!, sorted[j]!), Math.max(sorted[i]!, sorted[j]!)];
    const distance = 1 - correlation(thumbnails, a, b, moments);
    if (distance > most) return;
    if (pairs.length < maxPairs) pairs.push({ a, b, distance: Math.max(0, distance) });
    else truncated = true;
  };
  searchBlocks(reduced, order, along, limit, consider, () => truncated);
  pairs.sort((x, y) => x.distance - y.distance || x.a - y.a || x.b - y.b);
  return { pairs, flat: n - rows.length, truncated };
}

interface Moments {
  readonly mean: Float64Array;
  readonly std: Float64Array;
}

function momentsOf(thumbnails: Uint8Array, n: number): Moments {
  const mean = new Float64Array(n);
  const std = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    let sum = 0;
    let squares = 0;
    for (let i = row * THUMB_BYTES; i < (row + 1) * THUMB_BYTES; i++) {
      const value = thumbnails[i]!;
      sum += value;
      squares += value * value;
    }
    mean[row] = sum / THUMB_BYTES;
    std[row] = Math.sqrt(Math.max(0, squares / THUMB_BYTES - mean[row]! ** 2));
  }
  return { mean, std };
}

const HALF = THUMB / 2;
const WIDTH = HALF * HALF;

/** [rows, 196], standardised and averaged over 2 × 2 pixels. */
function pooled(thumbnails: Uint8Array, rows: Int32Array, { mean, std }: Moments): Float32Array {
  const result = new Float32Array(rows.length * WIDTH);
  rows.forEach((row, place) => {
    const [from, scale, shift] = [row * THUMB_BYTES, 0.25 / std[row]!, mean[row]! / std[row]!];
    for (let y = 0; y < HALF; y++) {
      for (let x = 0; x < HALF; x++) {
        const i = from + 2 * y * THUMB + 2 * x;
        const sum =
          thumbnails[i]! + thumbnails[i + 1]! + thumbnails[i + THUMB]! + thumbnails[i + THUMB + 1]!;
        result[place * WIDTH + y * HALF + x] = sum * scale - shift;
      }
    }
  });
  return result;
}

const TINY = 1e-30;

/** [n], each row's length along the direction of most variance (power iteration on the products). */
function projectionsOf(reduced: Float32Array, n: number): Float32Array {
  if (n === 0) return new Float32Array();
  return scope(() => {
    const rows = Tensor.borrow(reduced, [n, WIDTH]);
    const mean = ops.meanDim(rows, { dim: [0], keepdim: true });
    const spread = ops.sub(rows, mean);
    const products = ops.mm(ops.t(spread), spread);
    let direction = ops.full([WIDTH, 1], 1 / HALF, { dtype: "float32" });
    for (let step = 0; step < 30; step++) {
      direction = ops.mm(products, direction);
      // Of rows that are all the same, every direction is as good: zero, rather than 0/0.
      direction = ops.div(direction, ops.clampMin_(ops.linalgVectorNorm(direction), TINY));
    }
    return ops.mm(rows, direction).toArray("float32");
  });
}

/** Calls `consider` with every i < j of the sorted rows whose squared distance may be in the limit. */
function searchBlocks(
  reduced: Float32Array,
  order: Int32Array,
  along: Float64Array,
  limit: number,
  consider: (i: number, j: number) => void,
  stop: () => boolean,
): void {
  const n = order.length;
  if (n < 2) return;
  const { left, right } = factors(reduced, order);
  // Rounding in float32 must not lose a pair; what it lets in is computed exactly afterwards.
  const radius = Math.sqrt(limit) + 1e-3;
  const least = -(limit + 0.05) / 2;
  scope(() => {
    const a = Tensor.borrow(left, [n, WIDTH + 2]);
    const b = ops.t(Tensor.borrow(right, [n, WIDTH + 2]));
    for (let row = 0; row < n && !stop(); row += ROWS) {
      const height = Math.min(ROWS, n - row);
      const reach = along[row + height - 1]! + radius;
      for (let column = row; column < n && along[column]! <= reach && !stop(); column += COLUMNS) {
        const width = Math.min(COLUMNS, n - column);
        const found = scope(() => {
          const negative = ops.mm(ops.narrow(a, 0, row, height), ops.narrow(b, 1, column, width));
          return ops.nonzero(ops.geScalar(negative, least)).toArray("int64");
        });
        for (let k = 0; k < found.length; k += 2) {
          const [i, j] = [row + Number(found[k]), column + Number(found[k + 1])];
          if (i < j) consider(i, j);
        }
      }
    }
  });
}

/** Two matrices whose product is −d²/2 for every pair: a·b − |a|²/2 − |b|²/2. */
function factors(
  reduced: Float32Array,
  order: Int32Array,
): { left: Float32Array; right: Float32Array } {
  const width = WIDTH + 2;
  const left = new Float32Array(order.length * width);
  const right = new Float32Array(order.length * width);
  order.forEach((from, place) => {
    const row = reduced.subarray(from * WIDTH, (from + 1) * WIDTH);
    left.set(row, place * width);
    right.set(row, place * width);
    const half = row.reduce((sum, value) => sum + value * value, 0) / 2;
    left.set([-half, 1], place * width + WIDTH);
    right.set([1, -half], place * width + WIDTH);
  });
  return { left, right };
}

function correlation(thumbnails: Uint8Array, a: number, b: number, { mean, std }: Moments): number {
  let products = 0;
  const [from, other] = [a * THUMB_BYTES, b * THUMB_BYTES];
  for (let i = 0; i < THUMB_BYTES; i++) products += thumbnails[from + i]! * thumbnails[other + i]!;
  return (products / THUMB_BYTES - mean[a]! * mean[b]!) / (std[a]! * std[b]!);
}
