import { Classifier, type Stage } from "../models/index.ts";
import type { Dropout, Linear, Step } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** The head of a network as a classifier of what the network makes of images: [N, width] → [N, classes]. */
export class FeatureHead extends Classifier {
  readonly head: Linear;
  readonly dropout: Dropout;

  constructor(of: Classifier, dropout: Dropout) {
    super();
    this.head = of.head;
    this.dropout = dropout;
  }

  get stages(): readonly Stage[] {
    return [{ name: "head", modules: [this.head] }];
  }

  features(x: Tensor): Tensor {
    return x;
  }

  get steps(): readonly Step[] {
    return [this.dropout];
  }

  replaceHead(): never {
    throw new Error("the head is another network's: replace it there");
  }
}
