import {
  attention,
  DropPath,
  joinHeads,
  LayerNorm,
  Linear,
  Mlp,
  Module,
  selfAttention,
  splitHeads,
} from "../nn/index.ts";
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
    return scope(() =>
      this.proj.forward(scope(() => selfAttention(this.qkv.forward(x), this.#heads))),
    );
  }

  /** How much each token takes of each other, [N, heads, tokens, tokens]: rows sum to 1. */
  weights(x: Tensor): Tensor {
    return scope(() => {
      const [q, k] = splitHeads(this.qkv.forward(x), 3, this.#heads) as [Tensor, Tensor];
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
        const [q] = splitHeads(
          part(0, 1, ops.contiguous(ops.narrow(x, 1, 0, 1))),
          1,
          this.#heads,
        ) as [Tensor];
        const [k, v] = splitHeads(part(1, 2, x), 2, this.#heads) as [Tensor, Tensor];
        return attention(q, k, v);
      });
      return this.proj.forward(joinHeads(mixed));
    });
  }
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
    this.norm1 = new LayerNorm(width, { ...LAYER_NORM, beforeProduct: true });
    this.attn = new Attention(size, random.init);
    this.drop_path1 = new DropPath(dropPath, { random: random.dropout });
    this.norm2 = new LayerNorm(width, { ...LAYER_NORM, beforeProduct: true });
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
