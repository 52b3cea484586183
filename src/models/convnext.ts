import {
  Conv2d,
  chain,
  constant_,
  Dropout,
  DropPath,
  dropPathRates,
  LayerNorm,
  LayerNorm2d,
  Linear,
  lasting,
  Mlp,
  Module,
  normal_,
  Parameter,
  Sequential,
  type Step,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { imagenetPreprocessing } from "./imagenet.ts";
import {
  Classifier,
  type ModelOptions,
  type ModelRandom,
  type ModelSpec,
  type Stage,
} from "./spec.ts";

const EPS = 1e-6;
const LAYER_SCALE = 1e-6;

/** Depthwise 7×7 convolution, then an MLP of each position's channels. (Liu et al. 2022, fig. 4) */
class Block extends Module {
  readonly gamma: Parameter;
  readonly conv_dw: Conv2d;
  readonly norm: LayerNorm;
  readonly mlp: Mlp;
  readonly drop_path: DropPath;

  constructor(channels: number, dropPath: number, { init, dropout }: ModelRandom) {
    super();
    const options = { padding: 3, groups: channels, random: init };
    this.gamma = lasting(
      () => new Parameter(ops.full([channels], LAYER_SCALE, { dtype: "float32" })),
    );
    this.conv_dw = new Conv2d(channels, channels, 7, options);
    this.norm = new LayerNorm(channels, { eps: EPS });
    this.mlp = new Mlp(channels, 4 * channels, { random: init });
    this.drop_path = new DropPath(dropPath, { random: dropout });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const rows = chain(x, this.conv_dw, toRows, this.norm, this.mlp);
      const [n, channels, height, width] = x.shape as [number, number, number, number];
      const y = ops.permute(ops.view(rows, [n, height, width, channels]), [0, 3, 1, 2]);
      // In the branch's dtype: autocast's, where an fp32 scale would make the residuals fp32 from here on.
      const scale = ops.view(ops.toDtype(this.gamma, y.dtype), [channels, 1, 1]);
      const { drop_path } = this;
      if (!drop_path.training || drop_path.rate === 0) return ops.addcmul(x, y, scale);
      return ops.add_(drop_path.forward(ops.mul(y, scale)), x);
    });
  }
}

/** [N, C, H, W] → [N·H·W, C]: a view in channels_last. */
function toRows(x: Tensor): Tensor {
  return scope(() => ops.reshape(ops.permute(x, [0, 2, 3, 1]), [-1, x.size(1)]));
}

class ConvNextStage extends Module {
  readonly downsample: Sequential | null;
  readonly blocks: Sequential;

  constructor(inChannels: number, channels: number, rates: readonly number[], random: ModelRandom) {
    super();
    this.downsample =
      inChannels === channels
        ? null
        : new Sequential(
            new LayerNorm2d(inChannels, { eps: EPS }),
            new Conv2d(inChannels, channels, 2, { stride: 2, random: random.init }),
          );
    this.blocks = new Sequential(...rates.map((rate) => new Block(channels, rate, random)));
  }

  forward(x: Tensor): Tensor {
    return chain(x, this.downsample, this.blocks);
  }
}

/** [N, C, H, W] → pooled, normalised [N, C]; `fc` is the classifier's head. */
class Head extends Module {
  readonly norm: LayerNorm;
  readonly drop: Dropout;
  fc: Linear;

  constructor(channels: number, { classes, dropout = 0, random }: ModelOptions) {
    super();
    this.norm = new LayerNorm(channels, { eps: EPS });
    this.drop = new Dropout(dropout, { random: random.dropout });
    this.fc = new Linear(channels, classes, { random: random.init });
  }

  forward(x: Tensor): Tensor {
    return chain(x, (map) => ops.meanDim(map, { dim: [2, 3] }), this.norm, this.drop);
  }
}

interface Widths {
  readonly depths: readonly number[];
  readonly channels: readonly [number, ...number[]];
}

/** timm's ConvNeXt: patches of 4×4, four stages, layer norm after pooling. (Liu et al. 2022, §2) */
export class ConvNext extends Classifier {
  readonly stem: Sequential;
  readonly #stages: Sequential;
  readonly #head: Head;

  constructor({ depths, channels }: Widths, options: ModelOptions) {
    super();
    const { inChannels, dropPath = 0, random } = options;
    this.stem = new Sequential(
      new Conv2d(inChannels, channels[0], 4, { stride: 4, random: random.init }),
      new LayerNorm2d(channels[0], { eps: EPS }),
    );
    const rates = dropPathRates(
      dropPath,
      depths.reduce((sum, depth) => sum + depth, 0),
    );
    this.#stages = new Sequential(
      ...depths.map((depth, i) => {
        const before = channels[Math.max(i - 1, 0)]!;
        return new ConvNextStage(before, channels[i]!, rates.splice(0, depth), random);
      }),
    );
    this.#head = new Head(channels.at(-1)!, options);
    for (const [, module] of this.namedModules()) {
      if (module instanceof Conv2d || module instanceof Linear) initialise(module, random.init);
    }
  }

  /** The keys' `stages` and `head` are not what a classifier calls so. */
  override children(): [string, Module][] {
    return [
      ["stem", this.stem],
      ["stages", this.#stages],
      ["head", this.#head],
    ];
  }

  features(x: Tensor): Tensor {
    return chain(x, this.stem, this.#stages);
  }

  override pool(map: Tensor): Tensor {
    return this.#head.forward(map);
  }

  get steps(): readonly Step[] {
    return [this.stem, ...this.#stages, this.#head];
  }

  get head(): Linear {
    return this.#head.fc;
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.head;
    this.#head.fc = new Linear(old.weight.size(1), classes, { random });
    initialise(this.head, random);
    old[Symbol.dispose]();
  }

  get stages(): readonly Stage[] {
    const stages = [...this.#stages].map((stage, i) => ({ name: `stages.${i}`, modules: [stage] }));
    return [
      { name: "stem", modules: [this.stem] },
      ...stages,
      { name: "norm", modules: [this.#head.norm] },
      { name: "head", modules: [this.head] },
    ];
  }
}

/** timm cuts its normal distribution off at ±2, a hundred deviations: nothing is cut. */
function initialise(layer: Conv2d | Linear, random: Generator): void {
  normal_(layer.weight, random, { std: 0.02 });
  if (layer.bias) constant_(layer.bias, 0);
}

export const convnextTiny: ModelSpec = {
  summary: "convolutional network with a Vision Transformer's proportions",
  source: "Liu et al. 2022, A ConvNet for the 2020s, §3; timm",
  imageSize: [224, 224],
  weights: [
    {
      repo: "timm/convnext_tiny.in12k_ft_in1k",
      classes: 1000,
      preprocessing: imagenetPreprocessing({ crop: 0.95, interpolation: "bicubic" }),
      origin: "ImageNet-12k, then ImageNet-1k, timm's recipe",
      licence: "Apache-2.0",
    },
  ],
  create: (options) =>
    new ConvNext({ depths: [3, 3, 9, 3], channels: [96, 192, 384, 768] }, options),
};
