import { ops, scope, type Tensor } from "../tensor/index.ts";

/**
 * Elements of a tile. Five float32 tensors of this size are 5 MiB, what the second-level caches of
 * two cores hold (2 MiB each) but for a little: 128 Ki to 384 Ki elements measured the same.
 */
export const TILE = 256 * 1024;

/**
 * Runs an elementwise update over tensors of one shape. Those larger than a tile are updated tile by
 * tile, so that what one operator wrote is still in the cache when the next reads it, and temporaries
 * are small and always the same memory. Each run of `update` is in a scope of its own.
 */
export function inTiles<T extends readonly Tensor[]>(
  tensors: T,
  update: (...tile: { [I in keyof T]: Tensor }) => void,
): void {
  const { elements } = tensors[0]!;
  if (elements <= TILE || !sameDenseLayout(tensors)) {
    scope(() => update(...(tensors as { [I in keyof T]: Tensor })));
    return;
  }
  scope(() => {
    const flat = tensors.map((tensor) => ops.asStrided(tensor, [elements], [1]));
    for (let start = 0; start < elements; start += TILE) {
      const length = Math.min(TILE, elements - start);
      scope(() => {
        const tile = flat.map((tensor) => ops.narrow(tensor, 0, start, length));
        update(...(tile as { [I in keyof T]: Tensor }));
      });
    }
  });
}

/**
 * Do the tensors, of one shape, fill one stretch of memory each, with their elements in the same
 * order? Then an elementwise kernel may run over them as if they were flat.
 */
export function sameDenseLayout(tensors: readonly Tensor[]): boolean {
  const [first, ...others] = tensors as readonly [Tensor, ...Tensor[]];
  if (!first.isContiguous() && !first.isContiguous("channels_last")) return false;
  const { shape, strides } = first;
  return others.every((tensor) => {
    const its = tensor.strides;
    // The stride of a dimension of size 1 is never used, and libtorch leaves anything there.
    return shape.every((size, i) => size === 1 || its[i] === strides[i]);
  });
}
