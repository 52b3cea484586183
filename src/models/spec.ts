import { type Linear, Module } from "../nn/index.ts";
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
  /** Dropout before the head; each model has its paper's default. */
  readonly dropout?: number;
  readonly random: ModelRandom;
}

/** A part of the network between stem and head, the unit of unfreezing and layer-wise rates. */
export interface Stage {
  readonly name: string;
  readonly modules: readonly Module[];
}

/** An image classifier: [N, C, H, W] → logits [N, classes]. */
export abstract class Classifier extends Module {
  /** Stem to head; every parameter is in exactly one stage. */
  abstract get stages(): readonly Stage[];

  /** The linear layer whose rows are the classes. */
  abstract get head(): Linear;

  /** [N, C, H, W] → the last feature map or token sequence. */
  abstract features(x: Tensor): Tensor;

  /** [N, C, H, W] → [N, width], what the head sees. */
  abstract embed(x: Tensor): Tensor;

  /** A new head for other classes, initialised afresh; the old one is freed. */
  abstract replaceHead(classes: number, random: Generator): void;

  forward(x: Tensor): Tensor {
    return scope(() => this.head.forward(this.embed(x)));
  }
}

export interface ModelSpec {
  readonly summary: string;
  /** Authors, year and section that define it. */
  readonly source: string;
  create(options: ModelOptions): Classifier;
}
