import { ops, scope, type Tensor } from "../tensor/index.ts";

export interface CrossEntropyOptions {
  /** Mixes the target with the uniform distribution. (Szegedy et al. 2016, §7) */
  readonly labelSmoothing?: number | undefined;
  /** [C], of each class; the mean is over the weights of the targets' classes, as PyTorch's. */
  readonly weight?: Tensor | undefined;
}

/**
 * Mean cross-entropy of logits [N, C] against class indices [N] (int64) or probabilities [N, C], in fp32
 * whatever the logits are.
 */
export function crossEntropy(
  logits: Tensor,
  targets: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const { labelSmoothing = 0, weight } = options;
  return scope(() => ops.crossEntropyLoss(inFull(logits), targets, { labelSmoothing, weight }));
}

/**
 * T² times the divergence of a student's answers from its teacher's, Σ p log(p/q) of both softened by the
 * temperature T, as a mean over the batch; logits [N, C], in fp32. The factor keeps its gradients as large
 * as those of the labels whatever T is. (Hinton et al. 2015, §2)
 */
export function distillation(logits: Tensor, teacher: Tensor, temperature: number): Tensor {
  return scope(() => {
    const softened = (x: Tensor) => ops.logSoftmax(ops.divScalar(inFull(x), temperature), 1);
    const [q, p] = [softened(logits), softened(teacher)];
    const divergence = ops.sum(ops.mul(ops.exp(p), ops.sub(p, q)));
    return ops.mulScalar(divergence, temperature ** 2 / logits.size(0));
  });
}

/**
 * Cross-entropy of images mixed with those of the batch in reverse order: λ of it against their own targets, the
 * rest against their partners'. Without weights of classes equal to soft targets (timm's `mixup_target`), since it is
 * linear in the target; with them each part is a mean over its own weights.
 */
export function mixedCrossEntropy(
  logits: Tensor,
  targets: Tensor,
  lambda: number,
  options: CrossEntropyOptions = {},
): Tensor {
  return scope(() => {
    const own = crossEntropy(logits, targets, options);
    const partner = crossEntropy(logits, ops.flip(targets, [0]), options);
    return ops.add(ops.mulScalar(own, lambda), ops.mulScalar(partner, 1 - lambda));
  });
}

function inFull(logits: Tensor): Tensor {
  return logits.dtype === "float32" ? logits : ops.toDtype(logits, "float32");
}
