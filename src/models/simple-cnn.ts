import { UsageError } from "../errors.ts";
import {
  BatchNorm2d,
  Conv2d,
  chain,
  constant_,
  Dropout,
  kaimingNormal_,
  Linear,
  type Step,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import { Classifier, type ModelOptions, type ModelSpec, type Stage } from "./spec.ts";

const WIDTHS = [64, 128, 256] as const;
const HIDDEN = 512;

/**
 * Three blocks of convolution, batch norm, ReLU and pooling, then two linear layers: 2,471,941
 * parameters for five classes of 3×32×32 images.
 */
export class SimpleCnn extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly fc1: Linear;
  readonly dropout: Dropout;
  fc2: Linear;

  constructor({ classes, inChannels, imageSize, dropout = 0.5, random }: ModelOptions) {
    super();
    const { init } = random;
    const [height, width] = imageSize.map((size) => size >> 3) as [number, number];
    if (height < 1 || width < 1) {
      throw new UsageError(
        `simple_cnn halves its input three times: ${imageSize.join("×")} is too small`,
        { hint: "it takes images of 8×8 pixels and more" },
      );
    }
    const options = { padding: 1, random: init };
    this.conv1 = new Conv2d(inChannels, WIDTHS[0], 3, options);
    this.conv2 = new Conv2d(WIDTHS[0], WIDTHS[1], 3, options);
    this.conv3 = new Conv2d(WIDTHS[1], WIDTHS[2], 3, options);
    this.bn1 = new BatchNorm2d(WIDTHS[0]);
    this.bn2 = new BatchNorm2d(WIDTHS[1]);
    this.bn3 = new BatchNorm2d(WIDTHS[2]);
    this.fc1 = new Linear(WIDTHS[2] * height * width, HIDDEN, { random: init });
    this.dropout = new Dropout(dropout, { random: random.dropout });
    this.fc2 = new Linear(HIDDEN, classes, { random: init });
    for (const layer of [this.conv1, this.conv2, this.conv3, this.fc1, this.fc2]) {
      initialise(layer, init);
    }
  }

  features(x: Tensor): Tensor {
    return chain(x, ...this.#blocks);
  }

  override pool(map: Tensor): Tensor {
    return scope(() =>
      this.dropout.forward(ops.relu(this.fc1.forward(ops.flatten(map, { startDim: 1 })))),
    );
  }

  get steps(): readonly Step[] {
    return [...this.#blocks, (map) => this.pool(map)];
  }

  get #blocks(): readonly Step[] {
    const block = (conv: Conv2d, bn: BatchNorm2d) => (x: Tensor) =>
      bn.forwardReluMaxPool(conv.forward(x));
    return [block(this.conv1, this.bn1), block(this.conv2, this.bn2), block(this.conv3, this.bn3)];
  }

  get head(): Linear {
    return this.fc2;
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.fc2;
    this.fc2 = new Linear(HIDDEN, classes, { random });
    initialise(this.fc2, random);
    old[Symbol.dispose]();
  }

  get stages(): readonly Stage[] {
    return [
      { name: "block1", modules: [this.conv1, this.bn1] },
      { name: "block2", modules: [this.conv2, this.bn2] },
      { name: "block3", modules: [this.conv3, this.bn3] },
      { name: "fc", modules: [this.fc1] },
      { name: "head", modules: [this.fc2] },
    ];
  }
}

/** Kaiming-normal weights (fan-in) and zero biases, over the layers' own initialisation. */
function initialise(layer: Conv2d | Linear, random: Generator): void {
  kaimingNormal_(layer.weight, random, { mode: "fanIn" });
  if (layer.bias) constant_(layer.bias, 0);
}

export const simpleCnn: ModelSpec = {
  summary: "three convolution blocks and two linear layers, for small images",
  source: "the reference experiment on CIFAR-10 in five classes",
  imageSize: [32, 32],
  weights: [],
  // Few epochs at a high rate with little dropout: the most accuracy for a minute or two of training.
  recipe: { epochs: 3, opt: "adam", lr: 1e-2, sched: "onecycle", dropout: 0.1 },
  create: (options) => new SimpleCnn(options),
};
