import {
  BatchNorm2d,
  Conv2d,
  chain,
  Dropout,
  DropPath,
  dropPathRates,
  kaimingNormal_,
  Linear,
  MaxPool2d,
  Module,
  residualRelu,
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
  type PublishedWeights,
  type Stage,
} from "./spec.ts";

interface BlockOptions {
  readonly inChannels: number;
  readonly planes: number;
  readonly stride: number;
  readonly dropPath: number;
  readonly random: ModelRandom;
}

/** The shortcut where shapes differ: a 1×1 convolution and batch norm. (He et al. 2016, §3.3, option B) */
function projection(
  { inChannels, stride, random }: BlockOptions,
  outChannels: number,
): Sequential | null {
  if (stride === 1 && inChannels === outChannels) return null;
  return new Sequential(
    new Conv2d(inChannels, outChannels, 1, { stride, bias: false, random: random.init }),
    new BatchNorm2d(outChannels),
  );
}

/** Two 3×3 convolutions. (He et al. 2016, fig. 5 left) */
class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;
  readonly drop_path: DropPath;

  constructor(options: BlockOptions) {
    super();
    const { inChannels, planes, stride, dropPath } = options;
    const { init: random, dropout } = options.random;
    // The projection comes first: torchvision builds it before the block, and draws so.
    const shortcut = projection(options, planes);
    this.conv1 = new Conv2d(inChannels, planes, 3, { stride, padding: 1, bias: false, random });
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = new Conv2d(planes, planes, 3, { padding: 1, bias: false, random });
    this.bn2 = new BatchNorm2d(planes);
    this.downsample = shortcut;
    this.drop_path = new DropPath(dropPath, { random: dropout });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const y = this.bn1.forwardRelu(this.conv1.forward(x));
      const branch = this.conv2.forward(y);
      const shortcut = this.downsample?.forward(x) ?? x;
      return residualRelu(branch, shortcut, { norm: this.bn2, dropPath: this.drop_path });
    });
  }
}

/** 1×1, 3×3 (with the stride, "v1.5" as torchvision's) and 1×1 convolution. (He et al. 2016, fig. 5 right) */
class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;
  readonly drop_path: DropPath;

  constructor(options: BlockOptions) {
    super();
    const { inChannels, planes, stride, dropPath } = options;
    const { init: random, dropout } = options.random;
    const width = planes * Bottleneck.expansion;
    const shortcut = projection(options, width);
    this.conv1 = new Conv2d(inChannels, planes, 1, { bias: false, random });
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = new Conv2d(planes, planes, 3, { stride, padding: 1, bias: false, random });
    this.bn2 = new BatchNorm2d(planes);
    this.conv3 = new Conv2d(planes, width, 1, { bias: false, random });
    this.bn3 = new BatchNorm2d(width);
    this.downsample = shortcut;
    this.drop_path = new DropPath(dropPath, { random: dropout });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const y = this.bn1.forwardRelu(this.conv1.forward(x));
      const z = this.bn2.forwardRelu(this.conv2.forward(y));
      const branch = this.conv3.forward(z);
      const shortcut = this.downsample?.forward(x) ?? x;
      return residualRelu(branch, shortcut, { norm: this.bn3, dropPath: this.drop_path });
    });
  }
}

const STEM = 64;

/** torchvision's ResNet: names, numbers and order of initialisation. (He et al. 2016, table 1) */
export class ResNet extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1 = new BatchNorm2d(STEM);
  readonly maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly dropout: Dropout;
  fc: Linear;

  constructor(
    Block: typeof BasicBlock | typeof Bottleneck,
    depths: readonly [number, number, number, number],
    { classes, inChannels, dropout = 0, dropPath = 0, random: streams }: ModelOptions,
  ) {
    super();
    const { init: random } = streams;
    const rates = dropPathRates(
      dropPath,
      depths.reduce((sum, depth) => sum + depth, 0),
    );
    this.conv1 = new Conv2d(inChannels, STEM, 7, { stride: 2, padding: 3, bias: false, random });
    let channels = STEM;
    const layer = (index: 0 | 1 | 2 | 3): Sequential => {
      const planes = STEM << index;
      const blocks = Array.from({ length: depths[index] }, (_, i) => {
        const stride = i === 0 && index > 0 ? 2 : 1;
        const dropPath = rates.shift()!;
        const place = { inChannels: channels, planes, stride, dropPath };
        const block = new Block({ ...place, random: streams });
        channels = planes * Block.expansion;
        return block;
      });
      return new Sequential(...blocks);
    };
    this.layer1 = layer(0);
    this.layer2 = layer(1);
    this.layer3 = layer(2);
    this.layer4 = layer(3);
    this.dropout = new Dropout(dropout, { random: streams.dropout });
    this.fc = new Linear(channels, classes, { random });
    for (const [, module] of this.namedModules()) {
      if (module instanceof Conv2d) kaimingNormal_(module.weight, random, { mode: "fanOut" });
    }
  }

  features(x: Tensor): Tensor {
    return chain(x, ...this.#upToLast, this.layer4);
  }

  override pool(map: Tensor): Tensor {
    return chain(map, (y) => ops.meanDim(y, { dim: [2, 3] }), this.dropout);
  }

  get steps(): readonly Step[] {
    return [...this.#upToLast, (map) => chain(map, this.layer4, (y) => this.pool(y))];
  }

  get #upToLast(): readonly Step[] {
    const stem = (x: Tensor) => this.maxpool.forward(this.bn1.forwardRelu(this.conv1.forward(x)));
    return [stem, this.layer1, this.layer2, this.layer3];
  }

  get head(): Linear {
    return this.fc;
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.fc;
    this.fc = new Linear(old.weight.size(1), classes, { random });
    old[Symbol.dispose]();
  }

  get stages(): readonly Stage[] {
    return [
      { name: "stem", modules: [this.conv1, this.bn1] },
      { name: "layer1", modules: [this.layer1] },
      { name: "layer2", modules: [this.layer2] },
      { name: "layer3", modules: [this.layer3] },
      { name: "layer4", modules: [this.layer4] },
      { name: "head", modules: [this.fc] },
    ];
  }
}

const shared = {
  source: "He, Zhang, Ren & Sun 2016, Deep Residual Learning, table 1; torchvision",
  imageSize: [224, 224],
} as const;

/** timm's default weights of the family: the A1 recipe, or its variant with another head. */
function strikesBack(repo: string): PublishedWeights {
  return {
    repo,
    classes: 1000,
    preprocessing: imagenetPreprocessing({ crop: 0.95, interpolation: "bicubic" }),
    origin: "ImageNet-1k, recipe A1 (Wightman, Touvron & Jégou 2021, ResNet strikes back)",
    licence: "Apache-2.0",
  };
}

export const resnet18: ModelSpec = {
  ...shared,
  summary: "residual network of 18 layers",
  weights: [strikesBack("timm/resnet18.a1_in1k")],
  create: (options) => new ResNet(BasicBlock, [2, 2, 2, 2], options),
};

export const resnet34: ModelSpec = {
  ...shared,
  summary: "residual network of 34 layers",
  weights: [strikesBack("timm/resnet34.a1_in1k")],
  create: (options) => new ResNet(BasicBlock, [3, 4, 6, 3], options),
};

export const resnet50: ModelSpec = {
  ...shared,
  summary: "residual network of 50 layers with bottlenecks",
  weights: [strikesBack("timm/resnet50.a1_in1k")],
  create: (options) => new ResNet(Bottleneck, [3, 4, 6, 3], options),
};

export const resnet101: ModelSpec = {
  ...shared,
  summary: "residual network of 101 layers with bottlenecks",
  weights: [strikesBack("timm/resnet101.a1h_in1k")],
  create: (options) => new ResNet(Bottleneck, [3, 4, 23, 3], options),
};
