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
  normal_,
  Parameter,
  Sequential,
  truncatedNormal_,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { imagenetPreprocessing, inceptionStatistics } from "./imagenet.ts";
import { INITIAL, initialiseLinears } from "./initialise-linears.ts";
import type { Grid } from "./position-embedding.ts";
import {
  Classifier,
  type ModelOptions,
  type ModelRandom,
  type ModelSpec,
  type PublishedWeights,
  type Stage,
} from "./spec.ts";

interface ViTSize {
  readonly patch: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

const LAYER_NORM = { eps: 1e-6 };

/** [N, C, H, W] → [N, patches, width]: a linear projection of each patch. (Dosovitskiy et al. 2021, eq. 1) */
class PatchEmbed extends Module {
  readonly proj: Conv2d;

  constructor(inChannels: number, { patch, width }: ViTSize, random: Generator) {
    super();
    this.proj = new Conv2d(inChannels, width, patch, { stride: patch, random });
  }

  forward(x: Tensor): Tensor {
    return scope(() => ops.transpose(ops.flatten(this.proj.forward(x), { startDim: 2 }), 1, 2));
  }
}

/** Multi-head self-attention, [N, tokens, width] → the same. (Vaswani et al. 2017, §3.2.2) */
class Attention extends Module {
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
    const [batch, tokens, width] = x.shape as [number, number, number];
    const split = [batch, tokens, 3, this.#heads, width / this.#heads];
    return scope(() => {
      const mixed = scope(() => {
        // One copy puts queries, keys and values one after the other, each as batched products want it.
        const joined = ops.permute(ops.view(this.qkv.forward(x), split), [2, 0, 3, 1, 4]);
        const [q, k, v] = ops.unbind(ops.contiguous(joined)) as [Tensor, Tensor, Tensor];
        return attention(q, k, v);
      });
      return this.proj.forward(ops.reshape(ops.transpose(mixed, 1, 2), [batch, tokens, width]));
    });
  }
}

/** Attention and MLP, each behind a layer norm and beside a shortcut. (Dosovitskiy et al. 2021, eq. 2 and 3) */
class Block extends Module {
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
    return scope(() => {
      const y = scope(() =>
        ops.add(x, this.drop_path1.forward(this.attn.forward(this.norm1.forward(x)))),
      );
      return ops.add(y, this.drop_path2.forward(this.mlp.forward(this.norm2.forward(y))));
    });
  }
}

/** timm's VisionTransformer with a class token: names, numbers and order of initialisation. */
export class VisionTransformer extends Classifier {
  readonly cls_token: Parameter;
  readonly pos_embed: Parameter;
  readonly patch_embed: PatchEmbed;
  readonly blocks: Sequential;
  readonly norm: LayerNorm;
  readonly head_drop: Dropout;
  head: Linear;
  /** Rows and columns of patches that the position embedding is for. */
  readonly grid: Grid;

  constructor(size: ViTSize, options: ModelOptions) {
    super();
    const { classes, inChannels, imageSize, dropout = 0, dropPath = 0, random } = options;
    const { init } = random;
    const { width, depth } = size;
    this.grid = patchGrid(imageSize, size.patch);
    const tokens = 1 + this.grid[0] * this.grid[1];
    this.cls_token = lasting(() => new Parameter(ops.empty([1, 1, width])));
    this.pos_embed = lasting(() => new Parameter(ops.empty([1, tokens, width])));
    this.patch_embed = new PatchEmbed(inChannels, size, init);
    // timm's first values, which are drawn over below, but move the generator.
    normal_(this.pos_embed, init, INITIAL);
    const rates = dropPathRates(dropPath, depth);
    this.blocks = new Sequential(...rates.map((rate) => new Block(size, rate, random)));
    this.norm = new LayerNorm(width, LAYER_NORM);
    this.head_drop = new Dropout(dropout, { random: random.dropout });
    this.head = new Linear(width, classes, { random: init });
    truncatedNormal_(this.pos_embed, init, INITIAL);
    normal_(this.cls_token, init, { std: 1e-6 });
    initialiseLinears(this, init);
  }

  features(x: Tensor): Tensor {
    return scope(() => this.norm.forward(this.#encode(x)));
  }

  /** The class token alone is normalised: the norm is each token's own. */
  embed(x: Tensor): Tensor {
    return scope(() => {
      const token = ops.contiguous(ops.select(this.#encode(x), 1, 0));
      return this.head_drop.forward(this.norm.forward(token));
    });
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.head;
    this.head = new Linear(old.weight.size(1), classes, { random });
    initialiseLinears(this.head, random);
    old[Symbol.dispose]();
  }

  /** The final norm belongs to the last block, so that it is trained whenever that is. */
  get stages(): readonly Stage[] {
    const blocks = [...this.blocks];
    return [
      {
        name: "stem",
        modules: [this.patch_embed],
        parameters: [this.cls_token, this.pos_embed],
      },
      ...blocks.map((block, i) => ({
        name: `block${i}`,
        modules: i === blocks.length - 1 ? [block, this.norm] : [block],
      })),
      { name: "head", modules: [this.head] },
    ];
  }

  /** [N, C, H, W] → [N, tokens, width] before the norm. */
  #encode(x: Tensor): Tensor {
    return scope(() => {
      this.#checkSize(x);
      const tokens = scope(() => {
        const patches = this.patch_embed.forward(x);
        const cls = ops.expand(this.cls_token, [x.size(0), -1, -1]);
        // In autocast patches are bf16 and their sum with the embedding fp32: the residual stream stays
        // so, which costs nothing measurable and spares the norms their casts.
        const joined = ops.cat([ops.toDtype(cls, patches.dtype), patches], { dim: 1 });
        return ops.add(joined, this.pos_embed);
      });
      return this.blocks.forward(tokens);
    });
  }

  #checkSize(x: Tensor): void {
    const patch = this.patch_embed.proj.weight.size(2);
    const [height, width] = this.grid.map((patches) => patches * patch);
    if (x.size(2) !== height || x.size(3) !== width) {
      throw new RangeError(
        `images of ${x.size(2)}×${x.size(3)} for a network that was built for ${height}×${width}`,
      );
    }
  }
}

/** @throws UsageError for sides that patches do not fill. */
function patchGrid([height, width]: readonly [number, number], patch: number): Grid {
  if (height < patch || width < patch || height % patch !== 0 || width % patch !== 0) {
    throw new UsageError(`patches of ${patch}×${patch} pixels do not fill ${height}×${width}`, {
      hint: `height and width must be multiples of ${patch}, as 224×224`,
    });
  }
  return [height / patch, width / patch];
}

/** The "AugReg" weights: ImageNet-21k, then ImageNet-1k. */
function augReg(repo: string): PublishedWeights {
  return {
    repo,
    classes: 1000,
    preprocessing: imagenetPreprocessing({
      crop: 0.9,
      interpolation: "bicubic",
      ...inceptionStatistics,
    }),
    origin: "ImageNet-21k, then ImageNet-1k (Steiner et al. 2021, How to train your ViT?)",
    licence: "Apache-2.0",
  };
}

function vit(summary: string, size: ViTSize, weights: readonly PublishedWeights[]): ModelSpec {
  return {
    summary,
    source: "Dosovitskiy et al. 2021, An image is worth 16×16 words; Touvron et al. 2021; timm",
    imageSize: [224, 224],
    weights,
    create: (options) => new VisionTransformer(size, options),
  };
}

const tiny16 = { patch: 16, width: 192, depth: 12, heads: 3 } as const;
const small16 = { patch: 16, width: 384, depth: 12, heads: 6 } as const;

export const vitTinyPatch16 = vit("vision transformer, tiny, patches of 16 pixels", tiny16, [
  augReg("timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k"),
]);

export const vitSmallPatch16 = vit("vision transformer, small, patches of 16 pixels", small16, [
  augReg("timm/vit_small_patch16_224.augreg_in21k_ft_in1k"),
  {
    ...augReg("WinKawaks/vit-small-patch16-224"),
    // ViTFeatureExtractor resizes to the square without a crop.
    preprocessing: imagenetPreprocessing({ crop: 1, ...inceptionStatistics }),
  },
]);

export const vitSmallPatch32 = vit(
  "vision transformer, small, patches of 32 pixels",
  { ...small16, patch: 32 },
  [augReg("timm/vit_small_patch32_224.augreg_in21k_ft_in1k")],
);

export const vitBasePatch16 = vit(
  "vision transformer, base, patches of 16 pixels",
  { patch: 16, width: 768, depth: 12, heads: 12 },
  [augReg("timm/vit_base_patch16_224.augreg2_in21k_ft_in1k")],
);

function deit(repo: string): PublishedWeights {
  return {
    repo,
    classes: 1000,
    preprocessing: imagenetPreprocessing({ crop: 0.9, interpolation: "bicubic" }),
    origin:
      "ImageNet-1k, without distillation (Touvron et al. 2021, Data-efficient image transformers)",
    licence: "Apache-2.0",
  };
}

export const deitTinyPatch16 = vit("ViT-Tiny by DeiT's recipe", tiny16, [
  deit("timm/deit_tiny_patch16_224.fb_in1k"),
]);

export const deitSmallPatch16 = vit("ViT-Small by DeiT's recipe", small16, [
  deit("timm/deit_small_patch16_224.fb_in1k"),
]);
