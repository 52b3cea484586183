import {
  type Activation,
  BatchNorm2d,
  Conv2d,
  chain,
  constant_,
  DropPath,
  Linear,
  Module,
  normal_,
  type Padding,
  Sequential,
  SqueezeExcite,
  type Step,
  uniform_,
} from "../nn/index.ts";
import { type Generator, ops, scope, type Tensor } from "../tensor/index.ts";
import {
  Classifier,
  type Framework,
  type ModelOptions,
  type ModelRandom,
  type Stage,
} from "./spec.ts";

export interface Squeeze {
  /** Between its two convolutions, by the block's input and its depthwise channels. */
  channels(inChannels: number, wide: number): number;
  readonly activation: Activation;
  readonly gate: Activation;
}

/** What batch norms of PyTorch and of TensorFlow add to the variance. */
const EPSILON = { pytorch: 1e-5, tensorflow: 1e-3 } as const;

export function batchNorm(channels: number, framework: Framework): BatchNorm2d {
  return new BatchNorm2d(channels, { eps: EPSILON[framework] });
}

function padding(kernel: number, framework: Framework): Padding {
  return framework === "tensorflow" ? "same" : kernel >> 1;
}

/**
 * A block of a mobile network. `separable` is a depthwise and a pointwise convolution, `inverted` widens
 * the channels by `expansion` before them, `plain` is one convolution without a shortcut.
 */
export interface BlockOptions {
  readonly kind: "separable" | "inverted" | "plain";
  readonly kernel: number;
  readonly stride: 1 | 2;
  /** Of the depthwise channels over the block's input. */
  readonly expansion: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly activation: Activation;
  /** Null where the block has no squeeze-and-excitation. */
  readonly squeeze: Squeeze | null;
  readonly framework: Framework;
  readonly dropPath: number;
  readonly random: ModelRandom;
}

/** Rounds to a multiple of 8, never down by more than a tenth; timm's `round_channels`. */
export function roundChannels(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

abstract class MobileBlock extends Module {
  readonly drop_path: DropPath;
  readonly #hasShortcut: boolean;

  constructor({ inChannels, outChannels, stride, dropPath, random }: BlockOptions) {
    super();
    this.#hasShortcut = stride === 1 && inChannels === outChannels;
    this.drop_path = new DropPath(dropPath, { random: random.dropout });
  }

  protected abstract branch(x: Tensor): Tensor;

  forward(x: Tensor): Tensor {
    if (!this.#hasShortcut) return this.branch(x);
    return scope(() => ops.add_(this.drop_path.forward(this.branch(x)), x));
  }
}

function depthwise(channels: number, options: BlockOptions): Conv2d {
  const { kernel, stride, framework, random } = options;
  return new Conv2d(channels, channels, kernel, {
    ...{ stride, padding: padding(kernel, framework), groups: channels, bias: false },
    random: random.init,
  });
}

function pointwise(inChannels: number, outChannels: number, random: Generator): Conv2d {
  return new Conv2d(inChannels, outChannels, 1, { bias: false, random });
}

function squeezeExcite(wide: number, options: BlockOptions): SqueezeExcite | null {
  const { inChannels, squeeze, random } = options;
  if (squeeze === null) return null;
  const { activation, gate } = squeeze;
  const squeezed = squeeze.channels(inChannels, wide);
  return new SqueezeExcite(wide, { squeezed, activation, gate, random: random.init });
}

/** timm's DepthwiseSeparableConv. */
class SeparableBlock extends MobileBlock {
  readonly conv_dw: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly se: SqueezeExcite | null;
  readonly conv_pw: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly #activation: Activation;

  constructor(options: BlockOptions) {
    super(options);
    const { inChannels, outChannels, activation, framework, random } = options;
    this.#activation = activation;
    this.conv_dw = depthwise(inChannels, options);
    this.bn1 = batchNorm(inChannels, framework);
    this.se = squeezeExcite(inChannels, options);
    this.conv_pw = pointwise(inChannels, outChannels, random.init);
    this.bn2 = batchNorm(outChannels, framework);
  }

  protected branch(x: Tensor): Tensor {
    const { conv_dw, bn1, se, conv_pw, bn2 } = this;
    return chain(x, conv_dw, bn1, this.#activation, se, conv_pw, bn2);
  }
}

/** Wide in the middle, narrow at the shortcut; timm's InvertedResidual. (Sandler et al. 2018, §3.3) */
class InvertedResidual extends MobileBlock {
  readonly conv_pw: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv_dw: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly se: SqueezeExcite | null;
  readonly conv_pwl: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly #activation: Activation;

  constructor(options: BlockOptions) {
    super(options);
    const { inChannels, outChannels, expansion, activation, framework, random } = options;
    const wide = roundChannels(inChannels * expansion);
    this.#activation = activation;
    this.conv_pw = pointwise(inChannels, wide, random.init);
    this.bn1 = batchNorm(wide, framework);
    this.conv_dw = depthwise(wide, options);
    this.bn2 = batchNorm(wide, framework);
    this.se = squeezeExcite(wide, options);
    this.conv_pwl = pointwise(wide, outChannels, random.init);
    this.bn3 = batchNorm(outChannels, framework);
  }

  protected branch(x: Tensor): Tensor {
    const { conv_pw, bn1, conv_dw, bn2, se, conv_pwl, bn3 } = this;
    const activation = this.#activation;
    return chain(x, conv_pw, bn1, activation, conv_dw, bn2, activation, se, conv_pwl, bn3);
  }
}

/** timm's ConvBnAct. */
class PlainBlock extends Module {
  readonly conv: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly #activation: Activation;

  constructor({ inChannels, outChannels, activation, framework, random }: BlockOptions) {
    super();
    this.#activation = activation;
    this.conv = pointwise(inChannels, outChannels, random.init);
    this.bn1 = batchNorm(outChannels, framework);
  }

  forward(x: Tensor): Tensor {
    return chain(x, this.conv, this.bn1, this.#activation);
  }
}

const blocks = { separable: SeparableBlock, inverted: InvertedResidual, plain: PlainBlock };

/** What a block is, but for what follows from its place. */
export type BlockSpec = Omit<BlockOptions, "framework" | "inChannels" | "dropPath" | "random">;

export interface TrunkOptions {
  readonly stem: number;
  readonly activation: Activation;
  readonly framework: Framework;
  readonly groups: readonly (readonly BlockSpec[])[];
}

/** What EfficientNet and MobileNetV3 share: a stem of stride 2, groups of blocks, a head convolution. */
export abstract class MobileNetwork extends Classifier {
  readonly conv_stem: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly blocks: Sequential;
  override readonly framework: Framework;
  abstract classifier: Linear;
  readonly #activation: Activation;

  constructor(trunk: TrunkOptions, { inChannels, dropPath = 0, random }: ModelOptions) {
    super();
    const { stem, activation, framework, groups } = trunk;
    this.#activation = activation;
    this.framework = framework;
    this.conv_stem = new Conv2d(inChannels, stem, 3, {
      ...{ stride: 2, padding: padding(3, framework), bias: false },
      random: random.init,
    });
    this.bn1 = batchNorm(stem, framework);
    const total = groups.reduce((sum, group) => sum + group.length, 0);
    let channels = stem;
    let index = 0;
    const build = (block: BlockSpec): Module => {
      // Linear, but by the number of blocks and not by its last: the last block's rate is below dropPath.
      const rate = (dropPath * index++) / total;
      const place = { inChannels: channels, framework, dropPath: rate, random };
      channels = block.outChannels;
      return new blocks[block.kind]({ ...block, ...place });
    };
    this.blocks = new Sequential(...groups.map((group) => new Sequential(...group.map(build))));
  }

  protected trunk(x: Tensor): Tensor {
    return chain(x, ...this.#trunk);
  }

  get #trunk(): readonly Step[] {
    const stem = (x: Tensor) => chain(x, this.conv_stem, this.bn1, this.#activation);
    return [stem, ...this.blocks];
  }

  get steps(): readonly Step[] {
    return [...this.#trunk, (map) => this.embedMap(map)];
  }

  /** What the trunk gives → what the head sees. */
  protected abstract embedMap(map: Tensor): Tensor;

  get head(): Linear {
    return this.classifier;
  }

  replaceHead(classes: number, random: Generator): void {
    const old = this.classifier;
    this.classifier = new Linear(old.weight.size(1), classes, { random });
    old[Symbol.dispose]();
  }

  /** The head convolution with what belongs to it. */
  protected abstract get headModules(): readonly Module[];

  get stages(): readonly Stage[] {
    return [
      { name: "stem", modules: [this.conv_stem, this.bn1] },
      ...[...this.blocks].map((group, i) => ({ name: `blocks.${i}`, modules: [group] })),
      { name: "conv_head", modules: this.headModules },
      { name: "head", modules: [this.classifier] },
    ];
  }
}

/**
 * timm's initialisation of the family: N(0, 2/fan-out) for convolutions, where a group counts only its
 * own outputs, U(±1/√classes) for the classifier, no biases. (TensorFlow's reference implementation)
 */
export function initialise(network: MobileNetwork, random: Generator): void {
  for (const [, module] of network.namedModules()) {
    if (module instanceof Conv2d) {
      const [outChannels, , height, width] = module.weight.shape as [
        number,
        number,
        number,
        number,
      ];
      const fanOut = (outChannels * height * width) / module.groups;
      normal_(module.weight, random, { std: Math.sqrt(2 / fanOut) });
      if (module.bias) constant_(module.bias, 0);
    } else if (module instanceof Linear) {
      const bound = 1 / Math.sqrt(module.weight.size(0));
      uniform_(module.weight, random, { from: -bound, to: bound });
      if (module.bias) constant_(module.bias, 0);
    }
  }
}
