import { inference, ops, scope, type Tensor } from "../../tensor/index.ts";

/** Beyond it float32 overflows in the first product, square or sum; no training ends anywhere near it. */
const LARGEST = 1e18;

export interface Unusable {
  readonly name: string;
  /** `NaN`, `an infinite value`, or the value. */
  readonly what: string;
}

/**
 * The first tensor with a value that nothing can be computed with: NaN, infinite, or beyond `largest` by size. One pass
 * over those of floating point.
 */
export function firstUnusable(
  tensors: Iterable<readonly [string, Tensor]>,
  largest = LARGEST,
): Unusable | undefined {
  const floats = [...tensors].filter(
    ([, { dtype, elements }]) => dtype.includes("float") && elements > 0,
  );
  if (floats.length === 0) return undefined;
  return inference(() =>
    scope(() => {
      // Of an infinite order: a sum of squares may overflow where no value does.
      const norms = ops.foreachNormScalar(
        floats.map(([, tensor]) => tensor),
        { ord: Number.POSITIVE_INFINITY },
      );
      const wide = norms.map((norm) => ops.toDtype(norm, "float32"));
      const values = ops.stack(wide).toArray("float32");
      const at = values.findIndex((value) => !(value <= largest));
      return at < 0 ? undefined : { name: floats[at]![0], what: describe(values[at]!) };
    }),
  );
}

function describe(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? `a value of ${value.toPrecision(2)}` : "an infinite value";
}
