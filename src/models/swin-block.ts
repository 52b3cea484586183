import {
  attention,
  DropPath,
  LayerNorm,
  Linear,
  lasting,
  Mlp,
  Module,
  Parameter,
  truncatedNormal_,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { INITIAL } from "./initialise-linears.ts";
import {
  constantLike,
  type Extent,
  merge,
  partition,
  relativePositionIndex,
  shiftMask,
} from "./shifted-windows.ts";
import type { ModelRandom } from "./spec.ts";

/** Self-attention within windows, [N·windows, tokens, width] → the same. (Liu et al. 2021, eq. 4) */
class WindowAttention extends Module {
  readonly relative_position_bias_table: Parameter;
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly #heads: number;
  readonly #index: BigInt64Array;

  constructor(width: number, heads: number, window: Extent, random: Generator) {
    super();
    this.#heads = heads;
    this.#index = relativePositionIndex(window);
    const pairs = (2 * window[0] - 1) * (2 * window[1] - 1);
    this.relative_position_bias_table = lasting(() => new Parameter(ops.empty([pairs, heads])));
    this.qkv = new Linear(width, 3 * width, { random });
    this.proj = new Linear(width, width, { random });
    truncatedNormal_(this.relative_position_bias_table, random, INITIAL);
  }

  /** `mask` [windows, tokens, tokens] is added to the attention of each image's windows. */
  forward(x: Tensor, mask: Tensor | null = null): Tensor {
    const [windows, tokens, width] = x.shape as [number, number, number];
    const split = [windows, tokens, 3, this.#heads, width / this.#heads];
    return scope(() => {
      const mixed = scope(() => {
        const joined = ops.permute(ops.view(this.qkv.forward(x), split), [2, 0, 3, 1, 4]);
        const [q, k, v] = ops.unbind(ops.contiguous(joined)) as [Tensor, Tensor, Tensor];
        return attention(q, k, v, { bias: this.#bias(tokens, mask) });
      });
      return this.proj.forward(ops.reshape(ops.transpose(mixed, 1, 2), [windows, tokens, width]));
    });
  }

  /** The relative position bias [1, heads, tokens, tokens], with a mask [windows, heads, tokens, tokens]. */
  #bias(tokens: number, mask: Tensor | null): Tensor {
    return scope(() => {
      const table = this.relative_position_bias_table;
      const index = constantLike(table, this.#index, [tokens * tokens]);
      const rows = ops.view(ops.indexSelect(table, 0, index), [tokens, tokens, -1]);
      const bias = ops.unsqueeze(ops.permute(rows, [2, 0, 1]), 0);
      return mask === null ? ops.contiguous(bias) : ops.add(bias, ops.unsqueeze(mask, 1));
    });
  }
}

interface BlockOptions {
  readonly width: number;
  readonly heads: number;
  readonly window: Extent;
  /** How far the windows are shifted; zeros for every first block of two. */
  readonly shift: Extent;
  readonly dropPath: number;
  readonly random: ModelRandom;
}

/** Windowed attention and MLP, each behind a layer norm and beside a shortcut, on [N, H, W, width]. (Liu et al. 2021, eq. 3) */
export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attn: WindowAttention;
  readonly drop_path1: DropPath;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;
  readonly drop_path2: DropPath;
  readonly #window: Extent;
  readonly #shift: Extent;
  /** By the padded map's size. */
  readonly #masks = new Map<string, Float32Array>();

  constructor({ width, heads, window, shift, dropPath, random }: BlockOptions) {
    super();
    this.#window = window;
    this.#shift = shift;
    this.norm1 = new LayerNorm(width);
    this.attn = new WindowAttention(width, heads, window, random.init);
    this.drop_path1 = new DropPath(dropPath, { random: random.dropout });
    this.norm2 = new LayerNorm(width);
    this.mlp = new Mlp(width, 4 * width, { random: random.init });
    this.drop_path2 = new DropPath(dropPath, { random: random.dropout });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const y = scope(() =>
        ops.add(x, this.drop_path1.forward(this.#windowed(this.norm1.forward(x)))),
      );
      return ops.add(y, this.drop_path2.forward(this.mlp.forward(this.norm2.forward(y))));
    });
  }

  /** Shift, pad to whole windows, attend in each, and back. */
  #windowed(x: Tensor): Tensor {
    const [, height, width] = x.shape as [number, number, number, number];
    const [rows, columns] = this.#window;
    const padded = [Math.ceil(height / rows) * rows, Math.ceil(width / columns) * columns] as const;
    const shifted = this.#shift.some((distance) => distance > 0);
    return scope(() => {
      const windows = scope(() => {
        const rolled = shifted
          ? ops.roll(
              x,
              this.#shift.map((distance) => -distance),
              { dims: [1, 2] },
            )
          : x;
        const right = [0, 0, 0, padded[1] - width, 0, padded[0] - height];
        const whole = right.some((size) => size > 0) ? ops.constantPadNd(rolled, right) : rolled;
        return partition(whole, this.#window);
      });
      const mask = shifted ? this.#mask(windows, padded) : null;
      const map = merge(this.attn.forward(windows, mask), this.#window, padded);
      const cropped = ops.narrow(ops.narrow(map, 1, 0, height), 2, 0, width);
      return shifted ? ops.roll(cropped, this.#shift, { dims: [1, 2] }) : cropped;
    });
  }

  #mask(windows: Tensor, padded: Extent): Tensor {
    const key = padded.join("×");
    const mask = this.#masks.get(key) ?? shiftMask(padded, this.#window, this.#shift);
    this.#masks.set(key, mask);
    const tokens = windows.size(1);
    return constantLike(windows, mask, [mask.length / tokens ** 2, tokens, tokens]);
  }
}
