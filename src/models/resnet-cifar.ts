import {
  BatchNorm2d,
  Conv2d,
  chain,
  Dropout,
  DropPath,
  dropPathRates,
  kaimingNormal_,
  Linear,
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
  type Stage,
} from "./spec.ts";

/** Two 3×3 convolutions; a shortcut that shrinks takes every second pixel and pads channels with zeros (option A). */
class Block extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly drop_path: DropPath;
  readonly #shrinks: boolean;
  readonly #padding: number;

  constructor(inChannels: number, channels: number, dropPath: number, streams: ModelRandom) {
    super();
    const { init: random, dropout } = streams;
    this.#shrinks = inChannels !== channels;
    this.#padding = (channels - inChannels) / 2;
    const stride = this.#shrinks ? 2 : 1;
    this.conv1 = new Conv2d(inChannels, channels, 3, { stride, padding: 1, bias: false, random });
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = new Conv2d(channels, channels, 3, { padding: 1, bias: false, random });
    this.bn2 = new BatchNorm2d(channels);
    this.drop_path = new DropPath(dropPath, { random: dropout });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const y = this.bn1.forwardRelu(this.conv1.forward(x));
      const branch = this.conv2.forward(y);
      const shortcut = this.#shrinks ? this.#shortcut(x) : x;
      return residualRelu(branch, shortcut, { norm: this.bn2, dropPath: this.drop_path });
    });
  }

  #shortcut(x: Tensor): Tensor {
    const half = ops.slice(ops.slice(x, { dim: 2, step: 2 }), { dim: 3, step: 2 });
    return ops.constantPadNd(half, [0, 0, 0, 0, this.#padding, this.#padding]);
  }
}

/** The residual networks for 32×32 images: three groups of n blocks, 6n+2 layers. (He et al. 2016, §4.2) */
export class CifarResNet extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1 = new BatchNorm2d(16);
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly dropout: Dropout;
  linear: Linear;

  constructor(blocks: number, options: ModelOptions) {
    super();
    const { classes, inChannels, dropout = 0, dropPath = 0, random: streams } = options;
    const { init: random } = streams;
    const rates = dropPathRates(dropPath, 3 * blocks);
    const group = (from: number, to: number): Sequential =>
      new Sequential(
        ...rates
          .splice(0, blocks)
          .map((rate, i) => new Block(i === 0 ? from : to, to, rate, streams)),
      );
    this.conv1 = new Conv2d(inChannels, 16, 3, { padding: 1, bias: false, random });
    this.layer1 = group(16, 16);
    this.layer2 = group(16, 32);
    this.layer3 = group(32, 64);
    this.dropout = new Dropout(dropout, { random: streams.dropout });
    this.linear = new Linear(64, classes, { random });
    for (const [, module] of this.namedModules()) {
      if (module instanceof Conv2d || module instanceof Linear) {
        kaimingNormal_(module.weight, random, { mode: "fanIn" });
      }
    }
  }

  features(x: Tensor): Tensor {
    return chain(x, ...this.#upToLast, this.layer3);
  }

  override pool(map: Tensor): Tensor {
    return chain(map, (y) => ops.meanDim(y, { dim: [2, 3] }), this.dropout);
  }

  get steps(): readonly Step[] {
    return [...this.#upToLast, (map) => chain(map, this.layer3, (y) => this.pool(y))];
  }

  get #upToLast(): readonly Step[] {
    const stem = (x: Tensor) => this.bn1.forwardRelu(this.conv1.forward(x));
    return [stem, this.layer1, this.layer2];
  }

  get head(): Linear {
    return this.linear;
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.linear;
    this.linear = new Linear(64, classes, { random });
    kaimingNormal_(this.linear.weight, random, { mode: "fanIn" });
    old[Symbol.dispose]();
  }

  get stages(): readonly Stage[] {
    return [
      { name: "stem", modules: [this.conv1, this.bn1] },
      { name: "layer1", modules: [this.layer1] },
      { name: "layer2", modules: [this.layer2] },
      { name: "layer3", modules: [this.layer3] },
      { name: "head", modules: [this.linear] },
    ];
  }
}

function cifarResNet(blocks: number): ModelSpec {
  const layers = 6 * blocks + 2;
  return {
    summary: `residual network of ${layers} layers for small images`,
    source: "He, Zhang, Ren & Sun 2016, Deep Residual Learning, §4.2",
    imageSize: [32, 32],
    weights: [
      {
        // No repository of the hub: weights/hub/releases.ts has the address of its file.
        repo: `akamaster/resnet${layers}_cifar`,
        classes: 10,
        preprocessing: imagenetPreprocessing({ size: [32, 32], crop: 1 }),
        origin: "CIFAR-10 (Idelbayev 2018, pytorch_resnet_cifar10)",
        licence: "BSD-2-Clause",
      },
    ],
    create: (options) => new CifarResNet(blocks, options),
  };
}

export const resnet20Cifar = cifarResNet(3);
export const resnet32Cifar = cifarResNet(5);
export const resnet44Cifar = cifarResNet(7);
export const resnet56Cifar = cifarResNet(9);
