import {
  type Activation,
  type BatchNorm2d,
  Conv2d,
  chain,
  Dropout,
  Linear,
  type Module,
  relu6,
  sigmoid,
  silu,
} from "../nn/index.ts";
import { ops, type Tensor } from "../tensor/index.ts";
import { imagenetPreprocessing, inceptionStatistics } from "./imagenet.ts";
import {
  type BlockSpec,
  batchNorm,
  initialise,
  MobileNetwork,
  roundChannels,
  type Squeeze,
} from "./inverted-residual.ts";
import type {
  Framework,
  ModelOptions,
  ModelSpec,
  Preprocessing,
  PublishedWeights,
} from "./spec.ts";

/** EfficientNet-B0's groups; the first block does not widen. (Tan & Le 2019, table 1) */
const GROUPS = [
  { repeats: 1, kernel: 3, stride: 1, expansion: 1, channels: 16 },
  { repeats: 2, kernel: 3, stride: 2, expansion: 6, channels: 24 },
  { repeats: 2, kernel: 5, stride: 2, expansion: 6, channels: 40 },
  { repeats: 3, kernel: 3, stride: 2, expansion: 6, channels: 80 },
  { repeats: 3, kernel: 5, stride: 1, expansion: 6, channels: 112 },
  { repeats: 4, kernel: 5, stride: 2, expansion: 6, channels: 192 },
  { repeats: 1, kernel: 3, stride: 1, expansion: 6, channels: 320 },
] as const;

const STEM = 32;
const FEATURES = 1280;

/** How a member of the family differs from B0. (Tan & Le 2019, eq. 3) */
interface Variant {
  /** Of channels, by which they are multiplied and rounded. */
  readonly width: number;
  /** Of repeats, rounded up. */
  readonly depth: number;
  readonly activation: Activation;
  readonly squeeze: Squeeze | null;
  readonly framework: Framework;
}

/** A quarter of the block's input, however wide the block is inside. */
const squeeze: Squeeze = {
  channels: (inChannels) => inChannels / 4,
  activation: silu,
  gate: sigmoid,
};

function groupsOf({ width, depth, activation, squeeze }: Variant): BlockSpec[][] {
  return GROUPS.map(({ repeats, kernel, stride, expansion, channels }, group) =>
    Array.from({ length: Math.ceil(repeats * depth) }, (_, i) => ({
      kind: group === 0 ? "separable" : "inverted",
      outChannels: roundChannels(channels * width),
      stride: i === 0 ? stride : 1,
      ...{ kernel, expansion, activation, squeeze },
    })),
  );
}

/** timm's EfficientNet, with PyTorch's batch norms and padding or TensorFlow's (timm's `tf_` models). */
export class EfficientNet extends MobileNetwork {
  readonly conv_head: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly dropout: Dropout;
  classifier: Linear;
  readonly #activation: Activation;

  constructor(variant: Variant, options: ModelOptions) {
    const { width, activation, framework } = variant;
    const stem = roundChannels(STEM * width);
    super({ stem, activation, framework, groups: groupsOf(variant) }, options);
    const { classes, dropout = 0, random } = options;
    const features = roundChannels(FEATURES * width);
    this.#activation = activation;
    this.conv_head = new Conv2d(roundChannels(GROUPS[6].channels * width), features, 1, {
      bias: false,
      random: random.init,
    });
    this.bn2 = batchNorm(features, framework);
    this.dropout = new Dropout(dropout, { random: random.dropout });
    this.classifier = new Linear(features, classes, { random: random.init });
    initialise(this, random.init);
  }

  features(x: Tensor): Tensor {
    return chain(x, (images) => this.trunk(images), this.conv_head, this.bn2, this.#activation);
  }

  override pool(map: Tensor): Tensor {
    return chain(map, (y) => ops.meanDim(y, { dim: [2, 3] }), this.dropout);
  }

  protected embedMap(map: Tensor): Tensor {
    const pool = (y: Tensor) => this.pool(y);
    return chain(map, this.conv_head, this.bn2, this.#activation, pool);
  }

  protected get headModules(): readonly Module[] {
    return [this.conv_head, this.bn2];
  }
}

function published(
  repo: string,
  origin: string,
  change: Partial<Preprocessing> = {},
): PublishedWeights {
  return {
    repo,
    classes: 1000,
    preprocessing: imagenetPreprocessing({ interpolation: "bicubic", ...change }),
    origin,
    licence: "Apache-2.0",
  };
}

/** timm's own weights of the family. */
function randAugmented(
  repo: string,
  recipe: string,
  change: Partial<Preprocessing> = {},
): PublishedWeights {
  return published(repo, `ImageNet-1k, timm's ${recipe}`, change);
}

/** Google's, ported to PyTorch by timm. */
function noisyStudent(name: string, change: Partial<Preprocessing>): PublishedWeights {
  return published(
    `timm/${name}.ns_jft_in1k`,
    "ImageNet-1k and unlabelled JFT-300M, Google's NoisyStudent (Xie et al. 2020)",
    change,
  );
}

const RAND_AUGMENT =
  "RA recipe (RandAugment; Wightman, Touvron & Jégou 2021, ResNet strikes back, B)";

function scaled(
  width: number,
  depth: number,
  framework: Framework = "pytorch",
): Pick<ModelSpec, "source" | "create"> {
  return {
    source: "Tan & Le 2019, EfficientNet, table 1; timm",
    create: (options) =>
      new EfficientNet({ width, depth, activation: silu, squeeze, framework }, options),
  };
}

function lite(framework: Framework): Pick<ModelSpec, "source" | "imageSize" | "create"> {
  const variant = { width: 1, depth: 1, activation: relu6, squeeze: null, framework };
  return {
    source: "TensorFlow's EfficientNet-Lite; Tan & Le 2019; timm",
    imageSize: [224, 224],
    create: (options) => new EfficientNet(variant, options),
  };
}

export const efficientnetB0: ModelSpec = {
  ...scaled(1, 1),
  summary: "mobile network with squeeze-and-excitation, balanced in depth, width and size",
  imageSize: [224, 224],
  weights: [randAugmented("timm/efficientnet_b0.ra_in1k", RAND_AUGMENT)],
};

export const efficientnetB1: ModelSpec = {
  ...scaled(1, 1.1),
  summary: "EfficientNet-B0, deeper, for 240 pixels",
  imageSize: [240, 240],
  weights: [
    randAugmented(
      "timm/efficientnet_b1.ra4_e3600_r240_in1k",
      "recipe of MobileNetV4, 3600 epochs at 240 pixels",
      { size: [240, 240], crop: 0.9, ...inceptionStatistics },
    ),
  ],
};

export const efficientnetB2: ModelSpec = {
  ...scaled(1.1, 1.2),
  summary: "EfficientNet-B0, deeper and wider, for 256 pixels",
  imageSize: [256, 256],
  weights: [randAugmented("timm/efficientnet_b2.ra_in1k", RAND_AUGMENT, { size: [256, 256] })],
};

export const efficientnetB3: ModelSpec = {
  ...scaled(1.2, 1.4),
  summary: "EfficientNet-B0, deeper and wider still, for 288 pixels",
  imageSize: [288, 288],
  weights: [randAugmented("timm/efficientnet_b3.ra2_in1k", "RA2 recipe", { size: [288, 288] })],
};

export const efficientnetLite0: ModelSpec = {
  ...lite("pytorch"),
  summary: "EfficientNet-B0 without squeeze-and-excitation and with ReLU6, for small devices",
  weights: [randAugmented("timm/efficientnet_lite0.ra_in1k", RAND_AUGMENT)],
};

export const tfEfficientnetB0: ModelSpec = {
  ...scaled(1, 1, "tensorflow"),
  summary: "EfficientNet-B0 with TensorFlow's layers",
  imageSize: [224, 224],
  weights: [noisyStudent("tf_efficientnet_b0", {})],
};

export const tfEfficientnetB1: ModelSpec = {
  ...scaled(1, 1.1, "tensorflow"),
  summary: "EfficientNet-B1 with TensorFlow's layers",
  imageSize: [240, 240],
  weights: [noisyStudent("tf_efficientnet_b1", { size: [240, 240], crop: 0.882 })],
};

export const tfEfficientnetB2: ModelSpec = {
  ...scaled(1.1, 1.2, "tensorflow"),
  summary: "EfficientNet-B2 with TensorFlow's layers",
  imageSize: [260, 260],
  weights: [noisyStudent("tf_efficientnet_b2", { size: [260, 260], crop: 0.89 })],
};

export const tfEfficientnetB3: ModelSpec = {
  ...scaled(1.2, 1.4, "tensorflow"),
  summary: "EfficientNet-B3 with TensorFlow's layers",
  imageSize: [300, 300],
  weights: [noisyStudent("tf_efficientnet_b3", { size: [300, 300], crop: 0.904 })],
};

export const tfEfficientnetLite0: ModelSpec = {
  ...lite("tensorflow"),
  summary: "EfficientNet-Lite0 with TensorFlow's layers",
  weights: [
    published(
      "timm/tf_efficientnet_lite0.in1k",
      "ImageNet-1k, TensorFlow's EfficientNet-Lite",
      inceptionStatistics,
    ),
  ],
};
