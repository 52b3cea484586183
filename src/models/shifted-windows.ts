import { ops, scope, Tensor } from "../tensor/index.ts";

/** Rows and columns: of a map, of a window, of a shift. */
export type Extent = readonly [number, number];

/** [N, H, W, C] → [N·windows, rows·columns, C]; H and W are multiples of the window's. */
export function partition(x: Tensor, [rows, columns]: Extent): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  return scope(() => {
    const split = [batch, height / rows, rows, width / columns, columns, channels];
    const windows = ops.permute(ops.view(x, split), [0, 1, 3, 2, 4, 5]);
    return ops.reshape(windows, [-1, rows * columns, channels]);
  });
}

/** The inverse of `partition`, for a map of height and width `map`. */
export function merge(windows: Tensor, [rows, columns]: Extent, [height, width]: Extent): Tensor {
  const channels = windows.size(-1);
  return scope(() => {
    const split = [-1, height / rows, width / columns, rows, columns, channels];
    const map = ops.permute(ops.view(windows, split), [0, 1, 3, 2, 4, 5]);
    return ops.reshape(map, [-1, height, width, channels]);
  });
}

/**
 * For each pair of positions in a window, row-major, which row of the bias table is theirs:
 * [tokens·tokens]. (Liu et al. 2021, §3.2, relative position bias)
 */
export function relativePositionIndex([rows, columns]: Extent): BigInt64Array {
  const tokens = rows * columns;
  return BigInt64Array.from({ length: tokens * tokens }, (_, i) => {
    const [from, to] = [Math.floor(i / tokens), i % tokens];
    const vertical = Math.floor(from / columns) - Math.floor(to / columns) + rows - 1;
    const horizontal = (from % columns) - (to % columns) + columns - 1;
    return BigInt(vertical * (2 * columns - 1) + horizontal);
  });
}

/**
 * What is added to the attention in each window of a map that was shifted cyclically: 0 between
 * positions that were neighbours before, -100 between others. [windows·tokens·tokens], as timm's
 * `get_attn_mask`. (Liu et al. 2021, fig. 4)
 */
export function shiftMask([height, width]: Extent, window: Extent, shift: Extent): Float32Array {
  const [rows, columns] = window;
  const band = (position: number, size: number, axis: 0 | 1): number =>
    position < size - window[axis] ? 0 : position < size - shift[axis] ? 1 : 2;
  const tokens = rows * columns;
  const across = width / columns;
  const mask = new Float32Array((height / rows) * across * tokens * tokens);
  const region = (index: number, token: number): number => {
    const row = Math.floor(index / across) * rows + Math.floor(token / columns);
    const column = (index % across) * columns + (token % columns);
    return 3 * band(row, height, 0) + band(column, width, 1);
  };
  return mask.map((_, i) => {
    const index = Math.floor(i / (tokens * tokens));
    const [from, to] = [Math.floor(i / tokens) % tokens, i % tokens];
    return region(index, from) === region(index, to) ? 0 : -100;
  });
}

/** A constant as a tensor where `like` is; on the CPU over the array's own memory. */
export function constantLike(
  like: Tensor,
  array: NodeJS.TypedArray,
  shape: readonly number[],
): Tensor {
  const tensor = Tensor.borrow(array, shape);
  return like.device === "cpu" ? tensor : ops.toCopy(tensor, { device: like.device });
}
