import { measuredKernels } from "../libtorch/load.ts";
import { engine, hasOperator, Operator } from "../tensor/engine.ts";
import { ops, scope, Tensor } from "../tensor/index.ts";
import { isBFloat16OnCpu } from "./bfloat16.ts";

// libtorch 2.0 and later; not in the oldest libtorch that the facades are generated from.
const fused = new Operator("aten::scaled_dot_product_attention");

/**
 * softmax(q·kᵀ/√d)·v of queries, keys and values that one linear layer gave side by side, [N, tokens, 3·heads·d] →
 * [N, tokens, heads·d]. In bf16 on the CPU one operator of the addon's, unless libtorch's own was measured to be faster
 * here. (Vaswani et al. 2017, §3.2.2)
 */
export function selfAttention(qkv: Tensor, heads: number): Tensor {
  if (isBFloat16OnCpu(qkv) && isOwnFaster(qkv.requiresGrad)) return ops.selfAttention(qkv, heads);
  return scope(() => {
    const [q, k, v] = splitHeads(qkv, 3, heads) as [Tensor, Tensor, Tensor];
    return joinHeads(attention(q, k, v));
  });
}

/** By what set-up measured; where the two are close, ours, so that measuring again changes nothing. */
function isOwnFaster(learns: boolean): boolean {
  const measured = measuredKernels().attention?.[learns ? "training" : "inference"];
  return measured === undefined || measured.thaw <= 1.1 * measured.libtorch;
}

/** [N, tokens, parts·width] → each part as [N, heads, tokens, width of a head]. */
export function splitHeads(x: Tensor, parts: number, heads: number): Tensor[] {
  const [batch, tokens, width] = x.shape as [number, number, number];
  const shape = [batch, tokens, parts, heads, width / parts / heads];
  // One copy puts the parts one after the other, each as batched products want it.
  return scope(() => ops.unbind(ops.contiguous(ops.permute(ops.view(x, shape), [2, 0, 3, 1, 4]))));
}

/** [N, heads, tokens, width of a head] → [N, tokens, width]. */
export function joinHeads(x: Tensor): Tensor {
  const [batch, heads, tokens, width] = x.shape as [number, number, number, number];
  return scope(() => ops.reshape(ops.transpose(x, 1, 2), [batch, tokens, heads * width]));
}

/**
 * softmax(q·kᵀ/√d + bias)·v of queries, keys and values [B, heads, N, d] (of the queries there may be
 * fewer than of the others); `bias` [G, heads, N, N] is each B/G-th group's: G divides B, and 1 is
 * for all alike. libtorch's fused kernel where it has one. (Vaswani et al. 2017, §3.2.1)
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { bias?: Tensor | null } = {},
): Tensor {
  const { bias = null } = options;
  if (!hasOperator(fused.name)) return explicitAttention(q, k, v, bias);
  return scope(() => {
    // The scale, which libtorch 2.0 does not take as an argument, is its default.
    const mask = bias === null ? null : fusedMask(bias, q).handle;
    return new Tensor(engine().call(fused.index, q.handle, k.handle, v.handle, mask) as number);
  });
}

/** In the queries' dtype and for each of their batch, as the kernel wants it. */
function fusedMask(bias: Tensor, q: Tensor): Tensor {
  const [groups, ...shape] = bias.shape as [number, ...number[]];
  const mask = ops.toDtype(bias, q.dtype);
  if (groups === 1) return mask;
  const repeated = ops.expand(ops.unsqueeze(mask, 0), [q.size(0) / groups, -1, -1, -1, -1]);
  return ops.reshape(repeated, [q.size(0), ...shape]);
}

/** The same by batched matrix products, which autocast runs in bf16. */
export function explicitAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  bias: Tensor | null = null,
): Tensor {
  const [batch, heads, queries, width] = q.shape as [number, number, number, number];
  const tokens = k.size(2);
  const flat = (x: Tensor): Tensor => ops.reshape(x, [batch * heads, -1, width]);
  return scope(() => {
    const weights = scope(() => {
      // Not baddbmm with beta 0 and the scale as alpha, which saves this pass of hundredths of the time:
      // libtorch 1.13 multiplies its uninitialised result by beta where products are small, and NaN stays NaN.
      const scaled = ops.mulScalar(flat(q), width ** -0.5);
      const scores = ops.bmm(scaled, ops.transpose(flat(k), 1, 2));
      if (bias !== null) {
        const groups = bias.size(0);
        ops.add_(ops.view(scores, [batch / groups, groups, heads, queries, tokens]), bias);
      }
      return ops.softmax(scores, 2);
    });
    return ops.view(ops.bmm(weights, flat(v)), [batch, heads, queries, width]);
  });
}
