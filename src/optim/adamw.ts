import { type AdamOptions, adamRule } from "./adam.ts";
import type { GroupOptions, Optimizer } from "./optimizer.ts";
import { RuleOptimizer } from "./rule-optimizer.ts";

/**
 * Adam with decoupled weight decay as `torch.optim.AdamW`, whose default of 0.01 it has too. State
 * `exp_avg` and `exp_avg_sq`.
 * @throws ThawError where an option is out of its range.
 */
export function adamw(groups: readonly GroupOptions[], options: AdamOptions): Optimizer {
  const { lr, weightDecay = 0.01 } = options;
  return new RuleOptimizer(adamRule("adamw", options), groups, { lr, weightDecay });
}
