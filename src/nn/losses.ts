import { ops, scope, type Tensor } from "../tensor/index.ts";

/**
 * Mean cross-entropy of logits [N, C] against class indices [N] (int64), in fp32 whatever the
 * logits are. Smoothing ε mixes the target with the uniform distribution. (Szegedy et al. 2016, §7)
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  options: { labelSmoothing?: number } = {},
): Tensor {
  return scope(() => {
    const full = logits.dtype === "float32" ? logits : ops.toDtype(logits, "float32");
    return ops.crossEntropyLoss(full, labels, { labelSmoothing: options.labelSmoothing ?? 0 });
  });
}
