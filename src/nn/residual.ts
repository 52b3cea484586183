import { ops, scope, type Tensor } from "../tensor/index.ts";
import type { BatchNorm2d } from "./batch-norm.ts";
import type { DropPath } from "./drop-path.ts";

/** How a residual block ends: ReLU(dropPath(norm(branch)) + shortcut), in one operator where no sample is dropped. */
export function residualRelu(
  branch: Tensor,
  shortcut: Tensor,
  { norm, dropPath }: { norm: BatchNorm2d; dropPath: DropPath },
): Tensor {
  if (!dropPath.drops) return norm.forwardRelu(branch, shortcut);
  return scope(() => ops.relu_(ops.add_(dropPath.forward(norm.forward(branch)), shortcut)));
}
