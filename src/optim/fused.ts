import { engine, Operator } from "../tensor/engine.ts";
import type { Tensor } from "../tensor/index.ts";

// Their schemas are not in the oldest libtorch that the facades are generated from: called by hand.
const adam = new Operator("aten::_fused_adam_");
const adamw = new Operator("aten::_fused_adamw_");
const sgd = new Operator("aten::_fused_sgd_");

const handles = (tensors: readonly Tensor[]): number[] => tensors.map(({ handle }) => handle);

/**
 * `_fused_adam_(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, lr, beta1, beta2,
 * weight_decay, eps, amsgrad, maximize)`, or `_fused_adamw_` with the same. `steps` are float32
 * tensors of one element, already counting this step.
 */
export function fusedAdam(
  decoupled: boolean,
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
    (decoupled ? adamw : adam).index,
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
    sgd.index,
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
 * Do the tensors, of one shape, fill one stretch of memory each, with their elements in the same
 * order? Fused kernels take them as flat memory and do not look at their strides.
 */
export function sameDenseLayout(tensors: readonly Tensor[]): boolean {
  const [first, ...others] = tensors as readonly [Tensor, ...Tensor[]];
  if (!first.isContiguous() && !first.isContiguous("channels_last")) return false;
  const { shape, strides } = first;
  return others.every((tensor) => {
    const its = tensor.strides;
    // The stride of a dimension of size 1 is never used, and libtorch leaves anything there.
    return shape.every((size, i) => size === 1 || its[i] === strides[i]);
  });
}
