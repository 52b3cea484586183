import { ops, type Tensor } from "../tensor/index.ts";
import { checked } from "./checked.ts";
import { fusedAdam } from "./fused.ts";
import type { GroupOptions, Optimizer, ParameterGroup } from "./optimizer.ts";
import type { Due, UpdateRule } from "./rule.ts";
import { RuleOptimizer } from "./rule-optimizer.ts";

export interface AdamOptions {
  readonly lr: number;
  /** Decay rates of the averages of gradient and squared gradient; 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator after the bias correction, as in PyTorch; 1e-8. */
  readonly eps?: number;
  readonly weightDecay?: number;
}

/**
 * Adam as `torch.optim.Adam`: the weight decay (0) is L2, added to the gradient. State `exp_avg` and
 * `exp_avg_sq`.
 * @throws ThawError where an option is out of its range.
 */
export function adam(groups: readonly GroupOptions[], options: AdamOptions): Optimizer {
  const { lr, weightDecay = 0 } = options;
  return new RuleOptimizer(adamRule("adam", options), groups, { lr, weightDecay });
}

/**
 * With m, v the averages of gradient and squared gradient and c₁, c₂ = 1 − β₁ᵗ, 1 − β₂ᵗ, PyTorch's
 * step is p ← p − lr/c₁ · m / (√v/√c₂ + eps). Here it is the same multiplied through by √c₂, which
 * saves a pass over memory: p ← p − lr·√c₂/c₁ · m / (√v + eps·√c₂). Equal but for the last bit.
 * Decoupled, p is multiplied by 1 − lr · weightDecay before; else weightDecay · p is added to the gradient.
 */
export function adamRule(kind: "adam" | "adamw", options: AdamOptions): UpdateRule {
  const decoupled = kind === "adamw";
  const betas = options.betas ?? [0.9, 0.999];
  const [beta1, beta2] = betas;
  checked(`${kind}'s first beta`, beta1, { atLeast: 0, below: 1 });
  checked(`${kind}'s second beta`, beta2, { atLeast: 0, below: 1 });
  const eps = checked(`${kind}'s eps`, options.eps ?? 1e-8, { atLeast: 0 });
  return {
    kind,
    buffers: ["exp_avg", "exp_avg_sq"],
    fused: {
      operator: decoupled ? "_fused_adamw_" : "_fused_adam_",
      update: (operator, due, { lr, weightDecay }) => {
        const parameters = due.map(({ parameter }) => parameter);
        const tensors = {
          parameters,
          gradients: due.map(({ gradient }) => gradient),
          averages: due.map(({ buffers }) => buffers[0]!),
          squareAverages: due.map(({ buffers }) => buffers[1]!),
          steps: stepTensors(due),
        };
        fusedAdam(operator, tensors, { lr, betas, weightDecay, eps });
      },
    },
    update({ parameter, gradient, buffers, step }: Due, { lr, weightDecay }: ParameterGroup) {
      const correction = Math.sqrt(1 - beta2 ** step);
      const rate = (lr * correction) / (1 - beta1 ** step);
      const [average, squareAverage] = buffers as [Tensor, Tensor];
      if (decoupled && weightDecay !== 0) ops.mul_Scalar(parameter, 1 - lr * weightDecay);
      const l2 = decoupled ? 0 : weightDecay;
      const g = l2 === 0 ? gradient : ops.add(gradient, parameter, { alpha: l2 });
      // Not lerp_, though it is one pass: libtorch 1.13 does not vectorize it.
      ops.add_(ops.mul_Scalar(average, beta1), g, { alpha: 1 - beta1 });
      ops.addcmul_(ops.mul_Scalar(squareAverage, beta2), g, g, { value: 1 - beta2 });
      const denominator = ops.add_Scalar(ops.sqrt(squareAverage), eps * correction);
      ops.addcdiv_(parameter, average, denominator, { value: -rate });
    },
  };
}

/** A tensor for each parameter, the same where the counts are the same: the kernel only reads them. */
function stepTensors(due: readonly Due[]): Tensor[] {
  const tensors = new Map<number, Tensor>();
  return due.map(({ step, parameter }) => {
    const tensor =
      tensors.get(step) ?? ops.full([], step, { dtype: "float32", device: parameter.device });
    tensors.set(step, tensor);
    return tensor;
  });
}
