import { attention, DropPath, LayerNorm, Linear, Mlp, Module } from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import type { ModelRandom } from "./spec.ts";

export interface ViTSize {
  readonly patch: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

export const LAYER_NORM = { eps: 1e-6 } as const;

/** Multi-head self-attention, [N, tokens, width] → the same. (Vaswani et al. 2017, §3.2.2) */
export class Attention extends Module {
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly #heads: number;

  constructor({ width, heads }: ViTSize, random: Generator) {
    super();
    this.#heads = heads;
    this.qkv = new Linear(width, 3 * width, { random });
    this.proj = new Linear(width, width, { random });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const mixed = scope(() => {
        const [q, k, v] = this.#split(this.qkv.forward(x), 3) as [Tensor, Tensor, Tensor];
        return attention(q, k, v);
      });
      return this.proj.forward(joinHeads(mixed));
    });
  }

  /** How much each token takes of each other, [N, heads, tokens, tokens]: rows sum to 1. */
  weights(x: Tensor): Tensor {
    return scope(() => {
      const [q, k] = this.#split(this.qkv.forward(x), 3) as [Tensor, Tensor];
      const scores = ops.matmul(q, ops.transpose(k, -2, -1));
      return ops.softmax(ops.mulScalar(scores, q.size(-1) ** -0.5), -1);
    });
  }

  /** What `forward` gives for the first token, [N, 1, width]: its query is the only one needed. */
  firstToken(x: Tensor): Tensor {
    const width = x.size(2);
    const part = (first: number, parts: number, input: Tensor): Tensor => {
      const [weight, bias] = [this.qkv.weight, this.qkv.bias!].map((all) =>
        ops.narrow(all, 0, first * width, parts * width),
      ) as [Tensor, Tensor];
      return ops.linear(input, weight, { bias });
    };
    return scope(() => {
      const mixed = scope(() => {
        const [q] = this.#split(part(0, 1, ops.contiguous(ops.narrow(x, 1, 0, 1))), 1) as [Tensor];
        const [k, v] = this.#split(part(1, 2, x), 2) as [Tensor, Tensor];
        return attention(q, k, v);
      });
      return this.proj.forward(joinHeads(mixed));
    });
  }

  /** [N, tokens, parts·width] → each part as [N, heads, tokens, width of a head]. */
  #split(x: Tensor, parts: number): Tensor[] {
    const [batch, tokens, width] = x.shape as [number, number, number];
    const heads = [batch, tokens, parts, this.#heads, width / parts / this.#heads];
    // One copy puts the parts one after the other, each as batched products want it.
    return scope(() =>
      ops.unbind(ops.contiguous(ops.permute(ops.view(x, heads), [2, 0, 3, 1, 4]))),
    );
  }
}

/** [N, heads, tokens, width of a head] → [N, tokens, width]. */
function joinHeads(x: Tensor): Tensor {
  const [batch, heads, tokens, width] = x.shape as [number, number, number, number];
  return scope(() => ops.reshape(ops.transpose(x, 1, 2), [batch, tokens, heads * width]));
}

/** Attention and MLP, each behind a layer norm and beside a shortcut. (Dosovitskiy et al. 2021, eq. 2 and 3) */
export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attn: Attention;
  readonly drop_path1: DropPath;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;
  readonly drop_path2: DropPath;

  constructor(size: ViTSize, dropPath: number, random: ModelRandom) {
    super();
    const { width } = size;
    this.norm1 = new LayerNorm(width, LAYER_NORM);
    this.attn = new Attention(size, random.init);
    this.drop_path1 = new DropPath(dropPath, { random: random.dropout });
    this.norm2 = new LayerNorm(width, LAYER_NORM);
    this.mlp = new Mlp(width, 4 * width, { random: random.init });
    this.drop_path2 = new DropPath(dropPath, { random: random.dropout });
  }

  forward(x: Tensor): Tensor {
    return this.#residual(x, (normed) => this.attn.forward(normed));
  }

  /** What `forward` gives for the first token, [N, 1, width]. */
  firstToken(x: Tensor): Tensor {
    return this.#residual(x, (normed) => this.attn.firstToken(normed));
  }

  #residual(x: Tensor, attend: (normed: Tensor) => Tensor): Tensor {
    return scope(() => {
      const y = scope(() => {
        const attended = this.drop_path1.forward(attend(this.norm1.forward(x)));
        return ops.add(ops.narrow(x, 1, 0, attended.size(1)), attended);
      });
      return ops.add(y, this.drop_path2.forward(this.mlp.forward(this.norm2.forward(y))));
    });
  }
}
