import type { Module } from "../nn/index.ts";
import type { Histogram } from "../run/track/event.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";

const BUCKETS = 64;

/** Is the next step the last one of an epoch whose histograms are asked for? */
export function histogramsAreDue(
  { logHistograms: every }: { readonly logHistograms?: number | undefined },
  { epoch, batch }: { readonly epoch: number; readonly batch: number },
  batches: number,
): boolean {
  return every !== undefined && batch === batches - 1 && (epoch + 1) % every === 0;
}

/**
 * Histograms of all parameters, `Weights/<name>`, and of the gradients that are there, `Gradients/<name>`, one after the
 * other. A tensor with a value that is no finite number has none.
 */
export function* parameterHistograms(module: Module): Generator<readonly [string, Histogram]> {
  for (const [name, parameter] of module.namedParameters()) {
    const [weights, gradients] = scope(() => {
      const { grad } = parameter;
      return [histogram(parameter), grad === null ? undefined : histogram(grad)];
    });
    if (weights !== undefined) yield [`Weights/${name}`, weights];
    if (gradients !== undefined) yield [`Gradients/${name}`, gradients];
  }
}

/** Buckets of equal width from the smallest to the largest value. */
export function histogram(tensor: Tensor): Histogram | undefined {
  return scope(() => {
    const values = ops.toDtype(ops.detach(tensor), "float32");
    const [min, max] = [ops.min(values).item(), ops.max(values).item()];
    if (!Number.isFinite(min) || !Number.isFinite(max)) return undefined;
    const shared = {
      ...{ min, max, count: values.elements },
      sum: ops.sum(values, { dtype: "float64" }).item(),
      sumOfSquares: ops.sum(ops.square(ops.toDtype(values, "float64"))).item(),
    };
    if (min === max) return { ...shared, limits: [max], buckets: [values.elements] };
    const counts = ops.toDtype(ops.histc(values, { bins: BUCKETS, min, max }), "float64");
    const width = (max - min) / BUCKETS;
    return {
      ...shared,
      limits: Array.from({ length: BUCKETS }, (_, i) =>
        i === BUCKETS - 1 ? max : min + (i + 1) * width,
      ),
      buckets: counts.toArray("float64"),
    };
  });
}
