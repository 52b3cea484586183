import { UsageError } from "../errors.ts";
import {
  Conv2d,
  Dropout,
  dropPathRates,
  LayerNorm,
  Linear,
  lasting,
  Module,
  normal_,
  Parameter,
  Sequential,
  type Step,
  truncatedNormal_,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { imagenetPreprocessing, inceptionStatistics } from "./imagenet.ts";
import { INITIAL, initialiseLinears } from "./initialise-linears.ts";
import { type Grid, resamplePositionEmbedding, squareGrid } from "./position-embedding.ts";
import {
  Classifier,
  type ModelOptions,
  type ModelSpec,
  type PublishedWeights,
  type Stage,
} from "./spec.ts";
import { Block, LAYER_NORM, type ViTSize } from "./vit-block.ts";

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
    return scope(() => this.norm.forward(this.blocks.forward(this.#tokens(x))));
  }

  /** The last block computes the class token alone, a thirteenth of ViT-Tiny's time less. */
  get steps(): readonly Step[] {
    const blocks = [...this.blocks];
    const last = blocks.pop() as Block;
    const classToken = (tokens: Tensor) => {
      const token = ops.flatten(last.firstToken(tokens), { startDim: 1 });
      return this.head_drop.forward(this.norm.forward(token));
    };
    return [(x) => this.#tokens(x), ...blocks, classToken];
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.head;
    this.head = new Linear(old.weight.size(1), classes, { random });
    initialiseLinears(this.head, random);
    old[Symbol.dispose]();
  }

  /** Position embeddings of square images, resampled to these images' grid, as timm loads them. */
  override adapt(name: string, tensor: Tensor): Tensor | undefined {
    const [, tokens = 0, width] = tensor.shape;
    if (name !== "pos_embed" || width !== this.pos_embed.size(2)) return undefined;
    const from = squareGrid(tokens - 1);
    if (from === undefined) return undefined;
    return resamplePositionEmbedding(tensor, { from, to: this.grid, prefixTokens: 1 });
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

  /** [N, C, H, W] → [N, 1 + patches, width], what the first block sees. */
  #tokens(x: Tensor): Tensor {
    this.#checkSize(x);
    return scope(() => {
      const patches = this.patch_embed.forward(x);
      const cls = ops.expand(this.cls_token, [x.size(0), -1, -1]);
      const joined = ops.cat([ops.toDtype(cls, patches.dtype), patches], { dim: 1 });
      // In autocast patches are bf16 and their sum with the embedding fp32: the residual stream stays
      // so, which costs nothing measurable and spares the norms their casts.
      return ops.add(joined, this.pos_embed);
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

export const vitBasePatch32 = vit(
  "vision transformer, base, patches of 32 pixels",
  { patch: 32, width: 768, depth: 12, heads: 12 },
  [augReg("timm/vit_base_patch32_224.augreg_in21k_ft_in1k")],
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
