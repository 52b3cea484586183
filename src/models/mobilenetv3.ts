import {
  type Activation,
  Conv2d,
  chain,
  Dropout,
  hardsigmoid,
  hardswish,
  Linear,
  type Module,
  relu,
} from "../nn/index.ts";
import { ops, type Tensor } from "../tensor/index.ts";
import { imagenetPreprocessing, inceptionStatistics } from "./imagenet.ts";
import {
  type BlockSpec,
  initialise,
  MobileNetwork,
  roundChannels,
  type Squeeze,
} from "./inverted-residual.ts";
import type { Framework, ModelOptions, ModelSpec, PublishedWeights } from "./spec.ts";

const STEM = 16;

/** A quarter of the depthwise channels. (Howard et al. 2019, §5.3) */
const squeeze: Squeeze = {
  channels: (_, wide) => roundChannels(wide / 4),
  activation: relu,
  gate: hardsigmoid,
};

interface Row {
  readonly kernel: 3 | 5;
  readonly stride: 1 | 2;
  readonly channels: number;
  readonly squeezed: boolean;
  readonly activation: Activation;
}

/** An inverted block for each expansion; only the first has the stride. */
function inverted(row: Row, ...expansions: readonly number[]): BlockSpec[] {
  return expansions.map((expansion, i) => ({
    kind: "inverted",
    kernel: row.kernel,
    stride: i === 0 ? row.stride : 1,
    expansion,
    outChannels: row.channels,
    activation: row.activation,
    squeeze: row.squeezed ? squeeze : null,
  }));
}

function separable(row: Row): BlockSpec[] {
  return inverted(row, 1).map((block) => ({ ...block, kind: "separable" }));
}

/** The last, 1×1 convolution before pooling. */
function plain(channels: number): BlockSpec[] {
  const row = { kernel: 3, stride: 1, channels, squeezed: false, activation: hardswish } as const;
  return inverted(row, 1).map((block) => ({ ...block, kind: "plain" }));
}

interface Variant {
  readonly groups: readonly (readonly BlockSpec[])[];
  /** Channels before and after the head's convolution. */
  readonly head: readonly [pooled: number, features: number];
  /** Of the stem and of the head's convolution. */
  readonly activation: Activation;
}

/** Howard et al. 2019, table 2 */
const small: Variant = {
  groups: [
    separable({ kernel: 3, stride: 2, channels: 16, squeezed: true, activation: relu }),
    inverted({ kernel: 3, stride: 2, channels: 24, squeezed: false, activation: relu }, 4.5, 3.67),
    inverted(
      { kernel: 5, stride: 2, channels: 40, squeezed: true, activation: hardswish },
      4,
      6,
      6,
    ),
    inverted({ kernel: 5, stride: 1, channels: 48, squeezed: true, activation: hardswish }, 3, 3),
    inverted(
      { kernel: 5, stride: 2, channels: 96, squeezed: true, activation: hardswish },
      6,
      6,
      6,
    ),
    plain(576),
  ],
  ...{ head: [576, 1024], activation: hardswish },
};

/** Howard et al. 2019, table 1 */
const large: Variant = {
  groups: [
    separable({ kernel: 3, stride: 1, channels: 16, squeezed: false, activation: relu }),
    inverted({ kernel: 3, stride: 2, channels: 24, squeezed: false, activation: relu }, 4, 3),
    inverted({ kernel: 5, stride: 2, channels: 40, squeezed: true, activation: relu }, 3, 3, 3),
    inverted(
      { kernel: 3, stride: 2, channels: 80, squeezed: false, activation: hardswish },
      ...[6, 2.5, 2.3, 2.3],
    ),
    inverted({ kernel: 3, stride: 1, channels: 112, squeezed: true, activation: hardswish }, 6, 6),
    inverted(
      { kernel: 5, stride: 2, channels: 160, squeezed: true, activation: hardswish },
      6,
      6,
      6,
    ),
    plain(960),
  ],
  ...{ head: [960, 1280], activation: hardswish },
};

/** With three quarters of the channels; the features stay as many. */
function narrow({ groups, head: [pooled, features], activation }: Variant): Variant {
  const narrowed = (channels: number) => roundChannels(0.75 * channels);
  return {
    groups: groups.map((blocks) =>
      blocks.map((block) => ({ ...block, outChannels: narrowed(block.outChannels) })),
    ),
    ...{ head: [narrowed(pooled), features], activation },
  };
}

/** Without what some accelerators lack: kernels of 5, squeeze-and-excitation, hard swish. (TensorFlow's `minimalistic`) */
function minimal({ groups, head }: Variant): Variant {
  const plain = { kernel: 3, squeeze: null, activation: relu };
  return {
    groups: groups.map((blocks) => blocks.map((block) => ({ ...block, ...plain }))),
    ...{ head, activation: relu },
  };
}

/** timm's MobileNetV3: pooling comes before the head's convolution, which has a bias and no norm. */
export class MobileNetV3 extends MobileNetwork {
  readonly conv_head: Conv2d;
  readonly dropout: Dropout;
  classifier: Linear;

  readonly #activation: Activation;

  constructor(variant: Variant, framework: Framework, options: ModelOptions) {
    const { groups, activation } = variant;
    super({ stem: STEM, activation, framework, groups }, options);
    const { classes, dropout = 0, random } = options;
    const [pooled, features] = variant.head;
    this.#activation = activation;
    this.conv_head = new Conv2d(pooled, features, 1, { random: random.init });
    this.dropout = new Dropout(dropout, { random: random.dropout });
    this.classifier = new Linear(features, classes, { random: random.init });
    initialise(this, random.init);
  }

  features(x: Tensor): Tensor {
    return this.trunk(x);
  }

  override pool(map: Tensor): Tensor {
    return this.embedMap(map);
  }

  protected embedMap(map: Tensor): Tensor {
    const pool = (y: Tensor) => ops.meanDim(y, { dim: [2, 3], keepdim: true });
    const flatten = (y: Tensor) => ops.flatten(y, { startDim: 1 });
    return chain(map, pool, this.conv_head, this.#activation, flatten, this.dropout);
  }

  protected get headModules(): readonly Module[] {
    return [this.conv_head];
  }
}

function published(repo: string, recipe: string): PublishedWeights {
  return {
    repo,
    classes: 1000,
    preprocessing: imagenetPreprocessing({ interpolation: "bicubic" }),
    origin: `ImageNet-1k, timm's ${recipe}`,
    licence: "Apache-2.0",
  };
}

const shared = {
  source: "Howard et al. 2019, Searching for MobileNetV3; timm",
  imageSize: [224, 224],
} as const;

export const mobilenetv3Small100: ModelSpec = {
  ...shared,
  summary: "mobile network for the smallest devices",
  weights: [published("timm/mobilenetv3_small_100.lamb_in1k", "LAMB recipe")],
  create: (options) => new MobileNetV3(small, "pytorch", options),
};

export const mobilenetv3Large100: ModelSpec = {
  ...shared,
  summary: "mobile network for phones",
  weights: [published("timm/mobilenetv3_large_100.ra_in1k", "RA recipe (RandAugment)")],
  create: (options) => new MobileNetV3(large, "pytorch", options),
};

/** TensorFlow's network and weights, in timm's port of them; `name` without its `tf_mobilenetv3_`. */
function tensorflow(name: string, variant: Variant, summary: string): ModelSpec {
  return {
    ...shared,
    summary: `${summary}; TensorFlow's layers`,
    weights: [
      {
        repo: `timm/tf_mobilenetv3_${name}.in1k`,
        classes: 1000,
        preprocessing: imagenetPreprocessing(inceptionStatistics),
        origin: "ImageNet-1k, TensorFlow's MobileNetV3",
        licence: "Apache-2.0",
      },
    ],
    create: (options) => new MobileNetV3(variant, "tensorflow", options),
  };
}

export const tfMobilenetv3 = {
  tf_mobilenetv3_large_100: tensorflow("large_100", large, "MobileNetV3 for phones"),
  tf_mobilenetv3_large_075: tensorflow(
    "large_075",
    narrow(large),
    "MobileNetV3 for phones, narrower",
  ),
  tf_mobilenetv3_large_minimal_100: tensorflow(
    "large_minimal_100",
    minimal(large),
    "MobileNetV3 for phones, simplest operators",
  ),
  tf_mobilenetv3_small_100: tensorflow("small_100", small, "MobileNetV3 for the smallest devices"),
  tf_mobilenetv3_small_075: tensorflow(
    "small_075",
    narrow(small),
    "MobileNetV3 for the smallest devices, narrower",
  ),
  tf_mobilenetv3_small_minimal_100: tensorflow(
    "small_minimal_100",
    minimal(small),
    "MobileNetV3 for the smallest devices, simplest operators",
  ),
} as const;
