import type { Operator } from "../tensor/engine.ts";
import type { Tensor } from "../tensor/index.ts";
import type { FusedName } from "./fused.ts";
import type { OptimizerKind, ParameterGroup } from "./optimizer.ts";

/** A parameter that has a gradient, in the step that is being done. */
export interface Due {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  /** Of the parameter's shape, in the order of the rule's `buffers`; zeros before the first step. */
  readonly buffers: readonly Tensor[];
  /** This one included: 1 in the first. */
  readonly step: number;
}

/** The mathematics of an optimizer; groups, state and their bookkeeping are the same for all. */
export interface UpdateRule {
  readonly kind: OptimizerKind;
  /** Names of what is kept for each parameter, PyTorch's: `exp_avg`. */
  readonly buffers: readonly string[];
  /** Of several parameters in one call, where there is a kernel for that. */
  readonly fused: FusedUpdate;
  /**
   * Without gradient recording, in a scope of its own. One parameter at a time: `_foreach_` runs the
   * same loop on the CPU and measured slower (bench/ours/optimizer-step.mjs).
   */
  update(due: Due, group: ParameterGroup): void;
}

export interface FusedUpdate {
  readonly operator: FusedName;
  /** All are float32, on one device, dense and of one layout each. */
  update(operator: Operator, due: readonly Due[], group: ParameterGroup): void;
}
