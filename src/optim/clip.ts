import { noGrad, ops, scope, type Tensor } from "../tensor/index.ts";
import { checked } from "./checked.ts";

/**
 * Scales the parameters' gradients, taken as one vector, down to an L2 norm of `maxNorm`, as
 * `clip_grad_norm_`. Returns the norm before; reading it waits for the device, once.
 *
 * A norm that is not finite is returned as it is and the gradients are left alone: the caller must not
 * step with them.
 * @throws ThawError where `maxNorm` is not above 0.
 */
export function clipGradNorm(parameters: readonly Tensor[], maxNorm: number): number {
  checked("the largest norm of the gradient", maxNorm, { above: 0 });
  return noGrad(() =>
    scope(() => {
      const gradients = parameters.flatMap((parameter) => parameter.grad ?? []);
      if (gradients.length === 0) return 0;
      const norm = ops.linalgVectorNorm(ops.stack(ops.foreachNormScalar(gradients))).item();
      // The addend is PyTorch's; below 1 its factor is clamped, so that small gradients stay.
      const factor = maxNorm / (norm + 1e-6);
      if (Number.isFinite(norm) && factor < 1) ops.foreachMul_Scalar(gradients, factor);
      return norm;
    }),
  );
}
