import { engine, Operator } from "../tensor/engine.ts";
import { type Device, hasOperator, type Tensor } from "../tensor/index.ts";

/** Operators that update several parameters in one call. */
export type FusedName = "_fused_adam_" | "_fused_adamw_" | "_fused_sgd_";

// Called by hand: the oldest libtorch, which the facades are generated from, has not all of them.
const operators = new Map<string, Operator>();

const handles = (tensors: readonly Tensor[]): number[] => tensors.map(({ handle }) => handle);

/**
 * libtorch's operator where it has a kernel for the device, else ours of the same schema: libtorch's
 * Adam has one for the CPU since 2.4.
 */
export function fusedOperator(name: FusedName, device: Device): Operator | undefined {
  const backend = device === "cpu" ? "CPU" : device.startsWith("cuda") ? "CUDA" : undefined;
  const key = `${name} ${backend}`;
  if (backend === undefined || operators.has(key)) return operators.get(key);
  const found = [`aten::${name}`, `thaw::${name}`].find((full) => hasOperator(full, backend));
  if (found !== undefined) operators.set(key, new Operator(found));
  return operators.get(key);
}

/**
 * `_fused_adam_(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, lr, beta1, beta2,
 * weight_decay, eps, amsgrad, maximize)`, or `_fused_adamw_` with the same. `steps` are float32
 * tensors of one element, already counting this step.
 */
export function fusedAdam(
  operator: Operator,
  tensors: {
    readonly parameters: readonly Tensor[];
    readonly gradients: readonly Tensor[];
    readonly averages: readonly Tensor[];
    readonly squareAverages: readonly Tensor[];
    readonly steps: readonly Tensor[];
  },
  options: {
    readonly lr: number;
    readonly betas: readonly [number, number];
    readonly weightDecay: number;
    readonly eps: number;
  },
): void {
  engine().call(
    operator.index,
    handles(tensors.parameters),
    handles(tensors.gradients),
    handles(tensors.averages),
    handles(tensors.squareAverages),
    [],
    handles(tensors.steps),
    options.lr,
    options.betas[0],
    options.betas[1],
    options.weightDecay,
    options.eps,
    false,
    false,
  );
}

/**
 * `_fused_sgd_(self, grads, momentum_buffer_list, weight_decay, momentum, lr, dampening, nesterov,
 * maximize, is_first_step)`. Never told that a step is the first: buffers that start as zeros give
 * the same.
 */
export function fusedSgd(
  operator: Operator,
  tensors: {
    readonly parameters: readonly Tensor[];
    readonly gradients: readonly Tensor[];
    /** Empty without momentum. */
    readonly momentumBuffers: readonly Tensor[];
  },
  options: {
    readonly lr: number;
    readonly momentum: number;
    readonly nesterov: boolean;
    readonly weightDecay: number;
  },
): void {
  engine().call(
    operator.index,
    handles(tensors.parameters),
    handles(tensors.gradients),
    handles(tensors.momentumBuffers),
    options.weightDecay,
    options.momentum,
    options.lr,
    0,
    options.nesterov,
    false,
    false,
  );
}

/**
 * Of tensors at the same place of each list: are they of one shape, and do they fill one stretch of memory each, with their
 * elements in the same order? Fused kernels take them as flat memory and do not look at their strides.
 */
export function sameDenseLayouts(lists: readonly (readonly Tensor[])[]): boolean[] {
  return engine().sameDenseLayouts(lists.map(handles));
}
