import { ops, scope, type Tensor } from "../tensor/index.ts";

/**
 * An activation of a tensor that is its caller's alone: it may be computed in place and handed back,
 * and is where autograd does not need what was there.
 */
export type Activation = (x: Tensor) => Tensor;

export const relu: Activation = ops.relu_;

/** min(max(x, 0), 6). */
export function relu6(x: Tensor): Tensor {
  // hardtanh, PyTorch's ReLU6, has no backward pass in bf16 in libtorch 1.13.
  return x.requiresGrad ? ops.clamp(x, { min: 0, max: 6 }) : ops.clamp_(x, { min: 0, max: 6 });
}

/** x·σ(x). (Elfwing et al. 2018) */
export function silu(x: Tensor): Tensor {
  const { requiresGrad } = x;
  if (x.dtype === "bfloat16" && x.device === "cpu") {
    // libtorch 1.13's own converts to fp32 and back for each of its four steps.
    return scope(() => {
      const gate = ops.sigmoid(x);
      return requiresGrad ? ops.mul(x, gate) : ops.mul_(gate, x);
    });
  }
  return requiresGrad ? ops.silu(x) : ops.silu_(x);
}

/** x·ReLU6(x+3)/6. (Howard et al. 2019, §5.2) */
export function hardswish(x: Tensor): Tensor {
  return x.requiresGrad ? ops.hardswish(x) : ops.hardswish_(x);
}

/** ReLU6(x+3)/6. (Howard et al. 2019, §5.2) */
export const hardsigmoid: Activation = ops.hardsigmoid;

export const sigmoid: Activation = ops.sigmoid;
