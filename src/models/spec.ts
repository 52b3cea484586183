import { chain, type Linear, Module, type Parameter, type Step } from "../nn/index.ts";
import { type Generator, scope, type Tensor } from "../tensor/index.ts";

/** The streams a model draws from: parameters when it is built, dropout masks while it trains. */
export interface ModelRandom {
  readonly init: Generator;
  readonly dropout: Generator;
}

export interface ModelOptions {
  readonly classes: number;
  readonly inChannels: number;
  /** Height and width in pixels. */
  readonly imageSize: readonly [number, number];
  /** Dropout before the head (timm's `drop_rate`); default 0, as timm's, but simple_cnn's 0.5. */
  readonly dropout?: number;
  /** Stochastic depth: how often the last block is skipped, linearly from 0 at the first (timm's `drop_path_rate`); default 0. */
  readonly dropPath?: number;
  readonly random: ModelRandom;
}

/**
 * Whose layers a network has: TensorFlow's convolutions pad by its SAME rule, and its batch norms add more to the
 * variance. timm's `tf_` models have those, so that weights trained in TensorFlow compute what they did there.
 */
export type Framework = "pytorch" | "tensorflow";

/** A part of the network between stem and head, the unit of unfreezing and layer-wise rates. */
export interface Stage {
  readonly name: string;
  readonly modules: readonly Module[];
  /** Parameters that belong to none of its modules but to the network, as a ViT's position embedding. */
  readonly parameters?: readonly Parameter[];
}

/** All parameters of a stage: its own and its modules'. */
export function stageParameters({ modules, parameters = [] }: Stage): Parameter[] {
  return [...parameters, ...modules.flatMap((module) => module.parameters())];
}

/** An image classifier: [N, C, H, W] → logits [N, classes]. */
export abstract class Classifier extends Module {
  /** Stem to head; every parameter is in exactly one stage. */
  abstract get stages(): readonly Stage[];

  /** Of architectures that exist with either's layers, whose tensors have the same names and shapes. */
  readonly framework?: Framework;

  /** The linear layer whose rows are the classes. */
  abstract get head(): Linear;

  /** [N, C, H, W] → the last feature map [N, width, H', W'], or token sequence [N, tokens, width]. */
  abstract features(x: Tensor): Tensor;

  /** What `features` gives → what the head sees; absent where the head sees something else. */
  pool?(map: Tensor): Tensor;

  /**
   * What the stages before the head do, one step a stage: each takes what the one before it gives, the
   * first images, and the last gives what the head sees. Between two of them the network can be cut.
   */
  abstract get steps(): readonly Step[];

  /** [N, C, H, W] → [N, width], what the head sees. */
  embed(x: Tensor): Tensor {
    return chain(x, ...this.steps);
  }

  /** A new head for other classes, initialised afresh; the old one is freed. */
  abstract replaceHead(classes: number, random: Generator): void;

  /**
   * A tensor of a weights file whose shape is not `name`'s, brought to it: position embeddings of another grid.
   * Undefined where there is no way. The channels of images are not its concern.
   */
  adapt?(name: string, tensor: Tensor): Tensor | undefined;

  forward(x: Tensor): Tensor {
    return scope(() => this.head.forward(this.embed(x)));
  }
}

/** What was done to the images that weights were trained on; timm's `data_config`. */
export interface Preprocessing {
  /** Height and width in pixels that the network was evaluated at. */
  readonly size: readonly [number, number];
  /** The share of the resized image's shorter side that the centre crop keeps (timm's `crop_pct`). */
  readonly crop: number;
  readonly interpolation: "bilinear" | "bicubic";
  /** A value a channel, of pixel/255. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Weights that somebody trained and published. */
export interface PublishedWeights {
  /** Its repository on the hub, as `timm/resnet50.a1_in1k`. */
  readonly repo: string;
  readonly classes: number;
  readonly preprocessing: Preprocessing;
  /** Data and recipe, as `ImageNet-1k, ResNet strikes back A1 recipe`. */
  readonly origin: string;
  /** An SPDX identifier where there is one. */
  readonly licence: string;
}

/** How to train a model from random weights where the person does not say: keys and units of the training config. */
export interface Recipe {
  readonly epochs: number;
  readonly opt: "sgd" | "adam" | "adamw";
  readonly lr: number;
  readonly sched: "constant" | "linear" | "cosine" | "onecycle";
  readonly dropout?: number;
}

export interface ModelSpec {
  readonly summary: string;
  /** Authors, year and section that define it. */
  readonly source: string;
  /** Height and width in pixels that it was designed for. */
  readonly imageSize: readonly [number, number];
  /** The first is what `--pretrained` loads; empty where nobody published any. */
  readonly weights: readonly PublishedWeights[];
  /** Absent: the config's general defaults. */
  readonly recipe?: Recipe;
  create(options: ModelOptions): Classifier;
}
