import { ThawError, UsageError } from "../errors.ts";
import {
  Conv2d,
  chain,
  Dropout,
  dropPathRates,
  LayerNorm,
  Linear,
  Module,
  Sequential,
  type Step,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { imagenetPreprocessing } from "./imagenet.ts";
import { initialiseLinears } from "./initialise-linears.ts";
import type { Extent } from "./shifted-windows.ts";
import {
  Classifier,
  type ModelOptions,
  type ModelRandom,
  type ModelSpec,
  type Stage,
} from "./spec.ts";
import { Block } from "./swin-block.ts";

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

  override pool(map: Tensor): Tensor {
    return chain(map, (y) => ops.meanDim(y, { dim: [2, 3] }), this.head_drop);
  }

  get steps(): readonly Step[] {
    const layers: Step[] = [...this.layers];
    const last = layers.pop()!;
    const pool = (map: Tensor) => this.pool(ops.permute(map, [0, 3, 1, 2]));
    return [this.patch_embed, ...layers, (map) => chain(map, last, this.norm, pool)];
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

  /**
   * Bias tables are those of one window, and are not resampled.
   * @throws ThawError for a table of another window, which images of another size make.
   */
  override adapt(name: string, tensor: Tensor): undefined {
    const own = this.stateDict().get(name);
    if (!name.endsWith(".relative_position_bias_table") || tensor.size(1) !== own?.size(1)) return;
    throw new ThawError(
      `${name}: file has ${tensor.size(0)} positions, and the windows of these images have ${own.size(0)}`,
      { hint: "Swin's weights fit images whose smallest map fills a window, as 224×224 do" },
    );
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
