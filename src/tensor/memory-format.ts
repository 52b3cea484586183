import type { MemoryFormat } from "./device.ts";
import { contiguous, copy_, emptyStrided } from "./ops.gen.ts";
import type { Tensor } from "./tensor.ts";

/**
 * The 4-d tensor in a memory format. Where a dimension has size 1 the two formats' strides describe
 * the same bytes and libtorch keeps whatever strides there are, whereupon convolutions take the slow
 * path: so the strides themselves are checked and forced here.
 */
export function inMemoryFormat(tensor: Tensor, format: MemoryFormat): Tensor {
  if (tensor.shape.length !== 4 || format === "preserve") return tensor;
  if (format === "contiguous") return contiguous(tensor);
  const [n, c, h, w] = tensor.shape as [number, number, number, number];
  const wanted = [h * w * c, 1, w * c, c];
  if (tensor.strides.every((stride, i) => stride === wanted[i])) return tensor;
  const result = emptyStrided([n, c, h, w], wanted, { dtype: tensor.dtype, device: tensor.device });
  return copy_(result, tensor);
}
