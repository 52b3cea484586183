import { Classifier, type Stage } from "../models/index.ts";
import { chain, type Linear, type Step } from "../nn/index.ts";
import { noGrad, type Tensor } from "../tensor/index.ts";

/** A network from one of its stages on, as a classifier of what the stages before it give. */
export class StageTail extends Classifier {
  readonly network: Classifier;
  readonly #from: number;

  /** @param from Number of its first stage, from 0. */
  constructor(network: Classifier, from: number) {
    super();
    this.network = network;
    this.#from = from;
  }

  get head(): Linear {
    return this.network.head;
  }

  get stages(): readonly Stage[] {
    return this.network.stages.slice(this.#from);
  }

  get steps(): readonly Step[] {
    return this.network.steps.slice(this.#from);
  }

  features(x: Tensor): Tensor {
    return x;
  }

  replaceHead(): never {
    throw new Error("the head is another network's: replace it there");
  }
}

/**
 * A network whose first stages, which do not train, are computed by a copy of them that is ready for forward
 * passes alone: no graph is kept of them, batch norms are folded, weights converted once.
 */
export class FrozenStart extends Classifier {
  readonly network: Classifier;
  // Not a part of what trains, is saved or counted.
  readonly #copy: Classifier;
  readonly #from: number;

  /** @param from Number of the first stage that trains, from 0. */
  constructor(network: Classifier, copy: Classifier, from: number) {
    super();
    this.network = network;
    this.#copy = copy;
    this.#from = from;
  }

  get head(): Linear {
    return this.network.head;
  }

  get stages(): readonly Stage[] {
    return this.network.stages;
  }

  get steps(): readonly Step[] {
    const first = (x: Tensor) => noGrad(() => beforeStage(this.#copy, this.#from, x));
    return [first, ...this.network.steps.slice(this.#from)];
  }

  features(x: Tensor): Tensor {
    return this.network.features(x);
  }

  replaceHead(): never {
    throw new Error("the head is another network's: replace it there");
  }
}

/** What the stages before `stage` make of images, [N, C, H, W] → what that stage is given. */
export function beforeStage(network: Classifier, stage: number, images: Tensor): Tensor {
  return chain(images, ...network.steps.slice(0, stage));
}
