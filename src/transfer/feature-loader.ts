import { batchCount, batchRows, type EpochPlan } from "../data/epoch-batches.ts";
import type { Batch, BatchSource } from "../data/loader.ts";
import { epochOrder } from "../data/random.ts";
import { Turns } from "../platform/stop.ts";
import {
  inMemoryFormat,
  type MemoryFormat,
  ops,
  scope,
  Tensor,
  unscoped,
} from "../tensor/index.ts";

export interface FeatureLoaderOptions {
  readonly batchSize: number;
  /** A new order every epoch, the one that a {@link Loader} of the images would have. */
  readonly shuffle?: boolean;
  /** A last batch of one image joins the one before it. */
  readonly joinsLone?: boolean;
  readonly seed: number;
  /** Of features that are maps. */
  readonly memoryFormat?: MemoryFormat;
  /** Aborted: the epoch ends with a StoppedError before its next batch. */
  readonly signal?: AbortSignal | undefined;
}

/** Batches of features [n, width], or maps [n, C, H, W], in place of images, another of their views each epoch. */
export class FeatureLoader implements BatchSource {
  readonly count: number;
  readonly batchSize: number;
  /** Nothing is waited for: the features are in memory. */
  readonly waited = 0;
  readonly #features: Tensor;
  readonly #labels: Tensor;
  readonly #options: FeatureLoaderOptions;

  /**
   * @param features [views · count, ...] by view, used up.
   * @param labels [count] */
  constructor(features: Tensor, labels: Uint8Array | Int32Array, options: FeatureLoaderOptions) {
    this.count = labels.length;
    this.batchSize = options.batchSize;
    this.#options = options;
    this.#features = features;
    this.#labels = unscoped(() => Tensor.from(BigInt64Array.from(labels, BigInt), [labels.length]));
  }

  get batches(): number {
    return batchCount(this.#plan);
  }

  get #plan(): EpochPlan {
    const { count, batchSize } = this;
    return { count, batchSize, joinsLone: this.#options.joinsLone };
  }

  /** An epoch's batches in order, from the batch `from` on; the receiver disposes them. */
  async *epoch(epoch: number, from = 0): AsyncGenerator<Batch> {
    const { shuffle = false, seed, memoryFormat = "contiguous", signal } = this.#options;
    const order = epochOrder(this.count, epoch, { shuffle, seed });
    const views = this.#features.size(0) / this.count;
    const first = ((epoch - 1) % views) * this.count;
    const turns = new Turns(signal);
    for (let index = from; index < this.batches; index++) {
      await turns.next();
      const rows = batchRows(order, index, this.#plan);
      yield unscoped(() => {
        using picked = Tensor.from(rows, [rows.length]);
        using ofView = Tensor.from(
          rows.map((row) => row + first),
          [rows.length],
        );
        return {
          images: scope(() =>
            inMemoryFormat(ops.indexSelect(this.#features, 0, ofView), memoryFormat),
          ),
          labels: ops.indexSelect(this.#labels, 0, picked),
          size: rows.length,
          index,
          rows,
        };
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#features.dispose();
    this.#labels.dispose();
  }
}
