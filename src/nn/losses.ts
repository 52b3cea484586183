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

/**
 * Cross-entropy of images mixed with those of the batch in reverse order: λ of it against their own labels, the
 * rest against their partners'. Equal to soft targets (timm's `mixup_target`), since it is linear in the target.
 */
export function mixedCrossEntropy(
  logits: Tensor,
  labels: Tensor,
  lambda: number,
  options: { labelSmoothing?: number } = {},
): Tensor {
  return scope(() => {
    const own = crossEntropy(logits, labels, options);
    const partner = crossEntropy(logits, ops.flip(labels, [0]), options);
    return ops.add(ops.mulScalar(own, lambda), ops.mulScalar(partner, 1 - lambda));
  });
}
