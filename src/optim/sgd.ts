import { ThawError } from "../errors.ts";
import { ops } from "../tensor/index.ts";
import { checked } from "./checked.ts";
import { fusedSgd } from "./fused.ts";
import type { GroupOptions, Optimizer, ParameterGroup } from "./optimizer.ts";
import type { Due, UpdateRule } from "./rule.ts";
import { RuleOptimizer } from "./rule-optimizer.ts";

export interface SgdOptions {
  readonly lr: number;
  /** 0. */
  readonly momentum?: number;
  /** Nesterov's momentum; false. */
  readonly nesterov?: boolean;
  /** L2: added to the gradient. 0. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent as `torch.optim.SGD` with dampening 0:
 *
 *     g ← gradient + weightDecay · p;  b ← momentum · b + g;  p ← p − lr · (nesterov ? g + momentum · b : b)
 *
 * State `momentum_buffer` where there is momentum. It starts as zeros, which is PyTorch's copy of the
 * first gradient one step later.
 * @throws ThawError where an option is out of its range.
 */
export function sgd(groups: readonly GroupOptions[], options: SgdOptions): Optimizer {
  const momentum = checked("sgd's momentum", options.momentum ?? 0, { atLeast: 0 });
  const nesterov = options.nesterov ?? false;
  if (nesterov && momentum === 0) {
    throw new ThawError("Nesterov's momentum with a momentum of 0", {
      hint: "set a momentum, 0.9 for example",
    });
  }
  const { lr, weightDecay = 0 } = options;
  return new RuleOptimizer(rule(momentum, nesterov), groups, { lr, weightDecay });
}

function rule(momentum: number, nesterov: boolean): UpdateRule {
  return {
    kind: "sgd",
    buffers: momentum === 0 ? [] : ["momentum_buffer"],
    fused: {
      operator: "_fused_sgd_",
      update: (operator, due, { lr, weightDecay }) =>
        fusedSgd(
          operator,
          {
            parameters: due.map(({ parameter }) => parameter),
            gradients: due.map(({ gradient }) => gradient),
            momentumBuffers: due.flatMap(({ buffers }) => buffers),
          },
          { lr, momentum, nesterov, weightDecay },
        ),
    },
    update({ parameter, gradient, buffers: [buffer] }: Due, { lr, weightDecay }: ParameterGroup) {
      const g = weightDecay === 0 ? gradient : ops.add(gradient, parameter, { alpha: weightDecay });
      if (buffer === undefined) {
        ops.add_(parameter, g, { alpha: -lr });
        return;
      }
      // One pass over memory where mul_ and add_ are two.
      ops.addOut(g, buffer, { alpha: momentum, out: buffer });
      const direction = nesterov ? ops.add(g, buffer, { alpha: momentum }) : buffer;
      ops.add_(parameter, direction, { alpha: -lr });
    },
  };
}
