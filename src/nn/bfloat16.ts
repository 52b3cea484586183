import type { Tensor } from "../tensor/index.ts";

/** Whether the addon's kernels for bfloat16 on the CPU take it (native/transformer.cc). */
export function isBFloat16OnCpu(x: Tensor): boolean {
  return x.dtype === "bfloat16" && x.device === "cpu";
}
