import { UsageError } from "../errors.ts";
import {
  attention,
  Conv2d,
  Dropout,
  DropPath,
  dropPathRates,
  LayerNorm,
  Linear,
  lasting,
  Mlp,
  Module,
  Parameter,
  Sequential,
  truncatedNormal_,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { imagenetPreprocessing } from "./imagenet.ts";
import { INITIAL, initialiseLinears } from "./initialise-linears.ts";
import {
  constantLike,
  type Extent,
  merge,
  partition,
  relativePositionIndex,
  shiftMask,
} from "./shifted-windows.ts";
import {
  Classifier,
  type ModelOptions,
  type ModelRandom,
  type ModelSpec,
  type Stage,
} from "./spec.ts";

const PATCH = 4;
/** Four layers halve the map three times. */
const SMALLEST = PATCH * 8;

/** [N, C, H, W] → [N, H/4, W/4, width], normalised. (Liu et al. 2021, §3.1) */
class PatchEmbed extends Module {
  readonly proj: Conv2d;
  readonly norm: LayerNorm;

  constructor(inChannels: number, width: number, random: Generator) {
    super();
    this.proj = new Conv2d(inChannels, width, PATCH, { stride: PATCH, random });
    this.norm = new LayerNorm(width);
  }

  forward(x: Tensor): Tensor {
    return scope(() =>
      this.norm.forward(ops.contiguous(ops.permute(this.proj.forward(x), [0, 2, 3, 1]))),
    );
  }
}

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
class Block extends Module {
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

/** [N, H, W, width] → [N, ⌈H/2⌉, ⌈W/2⌉, 2·width]: each 2×2 neighbours side by side, projected. (Liu et al. 2021, §3.1) */
class PatchMerging extends Module {
  readonly norm: LayerNorm;
  readonly reduction: Linear;

  constructor(width: number, random: Generator) {
    super();
    this.norm = new LayerNorm(4 * width);
    this.reduction = new Linear(4 * width, 2 * width, { bias: false, random });
  }

  forward(x: Tensor): Tensor {
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    return scope(() => {
      const odd = [0, 0, 0, width % 2, 0, height % 2];
      const even = odd.some((size) => size > 0) ? ops.constantPadNd(x, odd) : x;
      const [rows, columns] = [even.size(1) / 2, even.size(2) / 2];
      const split = ops.reshape(even, [batch, rows, 2, columns, 2, channels]);
      const joined = ops.reshape(ops.permute(split, [0, 1, 3, 4, 2, 5]), [
        batch,
        rows,
        columns,
        4 * channels,
      ]);
      return this.reduction.forward(this.norm.forward(joined));
    });
  }
}

interface LayerOptions {
  readonly width: number;
  readonly heads: number;
  readonly map: Extent;
  readonly downsample: boolean;
  readonly rates: readonly number[];
  readonly random: ModelRandom;
}

class Layer extends Module {
  readonly downsample: PatchMerging | null;
  readonly blocks: Sequential;

  constructor(window: number, { width, heads, map, downsample, rates, random }: LayerOptions) {
    super();
    this.downsample = downsample ? new PatchMerging(width / 2, random.init) : null;
    // A window larger than the map shrinks to it, and need not shift then.
    const fitting = map.map((size) => Math.min(size, window)) as [number, number];
    const shift = map.map((size) => (size <= window ? 0 : window >> 1)) as [number, number];
    const blocks = rates.map(
      (dropPath, i) =>
        new Block({
          width,
          heads,
          window: fitting,
          shift: i % 2 === 0 ? [0, 0] : shift,
          dropPath,
          random,
        }),
    );
    this.blocks = new Sequential(...blocks);
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.blocks.forward(this.downsample?.forward(x) ?? x));
  }
}

/** What timm calls `head`: its keys are `head.fc.…`. */
class Head extends Module {
  fc: Linear;

  constructor(fc: Linear) {
    super();
    this.fc = fc;
  }

  forward(x: Tensor): Tensor {
    return this.fc.forward(x);
  }
}

interface SwinSize {
  readonly window: number;
  readonly width: number;
  readonly depths: readonly number[];
  readonly heads: readonly number[];
}

/** timm's SwinTransformer: names, numbers and order of initialisation. */
export class SwinTransformer extends Classifier {
  readonly patch_embed: PatchEmbed;
  readonly layers: Sequential;
  readonly norm: LayerNorm;
  readonly head_drop: Dropout;
  readonly classifier: Head;

  constructor({ window, width, depths, heads }: SwinSize, options: ModelOptions) {
    super();
    const { classes, inChannels, imageSize, dropout = 0, dropPath = 0, random } = options;
    const grid = patchGrid(imageSize);
    this.patch_embed = new PatchEmbed(inChannels, width, random.init);
    const rates = dropPathRates(
      dropPath,
      depths.reduce((sum, depth) => sum + depth),
    );
    const layers = depths.map(
      (depth, i) =>
        new Layer(window, {
          width: width << i,
          heads: heads[i]!,
          map: grid.map((size) => size >> i) as [number, number],
          downsample: i > 0,
          rates: rates.splice(0, depth),
          random,
        }),
    );
    this.layers = new Sequential(...layers);
    const features = width << (depths.length - 1);
    this.norm = new LayerNorm(features);
    this.head_drop = new Dropout(dropout, { random: random.dropout });
    this.classifier = new Head(new Linear(features, classes, { random: random.init }));
    initialiseLinears(this, random.init);
  }

  /** `head` is the linear layer here and the module around it in the checkpoint. */
  override children(): [string, Module][] {
    return super.children().map(([name, child]) => [name === "classifier" ? "head" : name, child]);
  }

  features(x: Tensor): Tensor {
    return scope(() => ops.permute(this.#encode(x), [0, 3, 1, 2]));
  }

  embed(x: Tensor): Tensor {
    return scope(() => this.head_drop.forward(ops.meanDim(this.#encode(x), { dim: [1, 2] })));
  }

  get head(): Linear {
    return this.classifier.fc;
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.classifier.fc;
    this.classifier.fc = new Linear(old.weight.size(1), classes, { random });
    initialiseLinears(this.classifier, random);
    old[Symbol.dispose]();
  }

  /** The final norm belongs to the last layer, so that it is trained whenever that is. */
  get stages(): readonly Stage[] {
    const layers = [...this.layers];
    return [
      { name: "stem", modules: [this.patch_embed] },
      ...layers.map((layer, i) => ({
        name: `layer${i}`,
        modules: i === layers.length - 1 ? [layer, this.norm] : [layer],
      })),
      { name: "head", modules: [this.head] },
    ];
  }

  /** [N, C, H, W] → [N, H/32, W/32, width], normalised. */
  #encode(x: Tensor): Tensor {
    return scope(() => this.norm.forward(this.layers.forward(this.patch_embed.forward(x))));
  }
}

/** @throws UsageError for sides that patches do not fill, or that are too short to be halved three times. */
function patchGrid([height, width]: Extent): Extent {
  if (height < SMALLEST || width < SMALLEST || height % PATCH !== 0 || width % PATCH !== 0) {
    throw new UsageError(`a Swin transformer cannot take images of ${height}×${width} pixels`, {
      hint: `height and width must be multiples of ${PATCH} from ${SMALLEST} on; multiples of 32 waste nothing`,
    });
  }
  return [height / PATCH, width / PATCH];
}

export const swinTiny: ModelSpec = {
  summary: "hierarchical transformer with shifted windows, tiny",
  source: "Liu et al. 2021, Swin transformer, table 7; timm",
  imageSize: [224, 224],
  weights: [
    {
      repo: "timm/swin_tiny_patch4_window7_224.ms_in1k",
      classes: 1000,
      preprocessing: imagenetPreprocessing({ crop: 0.9, interpolation: "bicubic" }),
      origin: "ImageNet-1k (Liu et al. 2021)",
      licence: "MIT",
    },
  ],
  create: (options) =>
    new SwinTransformer(
      { window: 7, width: 96, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24] },
      options,
    ),
};
