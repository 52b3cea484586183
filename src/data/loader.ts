import { availableParallelism } from "node:os";
import { ThawError } from "../errors.ts";
import { Turns } from "../platform/stop.ts";
import { getThreads, Tensor, unscoped } from "../tensor/index.ts";
import type { BatchPlan, BatchRequest } from "./batch.ts";
import { DataThread, type Reply } from "./data-thread.ts";
import { batchCount, batchRows, type EpochPlan } from "./epoch-batches.ts";
import { type AnyStore, closeStore, storeFor } from "./files/open-store.ts";
import type { SplitSet } from "./imageset.ts";
import { epochOrder } from "./random.ts";
import { type DrawnMix, drawMix } from "./transforms/mix.ts";

export interface LoaderOptions extends BatchPlan {
  readonly batchSize: number;
  /** A new order every epoch, from the seed. */
  readonly shuffle?: boolean;
  /** A last batch of one image joins the one before it. */
  readonly joinsLone?: boolean;
  /** Threads that decode files; default one a core, at most 8. Images in memory take one. */
  readonly workers?: number;
  /**
   * Decoded pictures are kept: finished ones for later runs too, in files of this folder; those that
   * every epoch crops anew for this run, in memory where they fit into a quarter of what is free, else
   * in a file. Absent: nothing is kept.
   */
  readonly keepIn?: string;
  /** Told where they cannot be kept, or have to be decoded again. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** So many seconds may one file take before its name is told and the epoch ends; default 120. */
  readonly stallSeconds?: number;
  /** Aborted: the epoch ends with a StoppedError before its next batch. */
  readonly signal?: AbortSignal | undefined;
}

/** float32 [size, C, H, W] and int64 [size]; the receiver disposes them. */
export interface Batch {
  readonly images: Tensor;
  readonly labels: Tensor;
  readonly size: number;
  /** Its place in the epoch, from 0. */
  readonly index: number;
  /** [size], which rows of the split. */
  readonly rows: Int32Array;
  /** Its images are mixed with those of the batch in reverse order; the labels are their own. */
  readonly mix?: DrawnMix;
}

/** For a batch that is not used. */
export function discardBatch({ images, labels }: Batch): void {
  images.dispose();
  labels.dispose();
}

/** Where a trainer's batches come from. */
export interface BatchSource extends AsyncDisposable {
  readonly count: number;
  readonly batchSize: number;
  /** Batches of an epoch; the last one may be smaller. */
  readonly batches: number;
  /** Seconds that readers have waited for a batch, since it was made. */
  readonly waited: number;
  /** An epoch's batches in order, from the batch `from` on. One epoch is read at a time. */
  epoch(epoch: number, from?: number): AsyncGenerator<Batch>;
}

/** A batch could not be made: a file is damaged, gone or changed. Nothing that was trained is lost by it. */
export class BatchError extends ThawError {}

/** Batches that are under way while the step trains: one ready, one for unevenness, and one a thread. */
const SPARE = 2;

/**
 * Batches of a split, prepared in threads of their own while the current one is trained on. Order and
 * augmentation depend on seed, epoch and image alone: any epoch can be read again from any batch on.
 */
export class Loader implements BatchSource {
  readonly count: number;
  readonly batchSize: number;
  /** Seconds that readers have waited for a batch, since the loader was made. */
  waited = 0;
  readonly #options: LoaderOptions;
  readonly #held: readonly Tensor[];
  readonly #store: AnyStore | undefined;
  readonly #threads: readonly DataThread[];
  #pending: readonly Promise<Reply>[] = [];

  constructor(set: SplitSet, options: LoaderOptions) {
    this.count = set.count;
    this.batchSize = options.batchSize;
    this.#options = options;
    // libtorch settles this thread's own thread count now, before workers choose one for themselves.
    getThreads();
    const { mean, std, memoryFormat, augment, mix, fit, seed } = options;
    const plan = {
      mean,
      std,
      memoryFormat,
      seed,
      ...(augment && { augment }),
      ...(mix && { mix }),
      ...(fit && { fit }),
    };
    if ("files" in set) {
      if (fit === undefined) throw new ThawError("images in files need a fit: to which size?");
      this.#held = [];
      this.#store = storeFor(set, fit, options);
      const { files: paths, stamps, labels, indices, pixelRange } = set;
      const files = { files: paths, stamps, labels, ...(indices && { indices }), pixelRange };
      const count = options.workers ?? Math.min(8, availableParallelism());
      this.#threads = Array.from({ length: Math.max(1, count) }, () => {
        const watch = new Int32Array(new SharedArrayBuffer(8));
        return new DataThread({
          workerData: { files, plan, watch, ...(this.#store && { store: this.#store }) },
          watch,
          nameOf: (row) => paths[row]!,
          ...(options.stallSeconds !== undefined && { stallSeconds: options.stallSeconds }),
        });
      });
      return;
    }
    const { images, labels } = unscoped(() => ({
      images: Tensor.borrow(set.images, [set.count, set.channels, set.height, set.width]),
      labels: Tensor.from(BigInt64Array.from(set.labels, BigInt), [set.count]),
    }));
    this.#held = [images, labels];
    const handles = { images: images.handle, labels: labels.handle };
    this.#threads = [new DataThread({ workerData: { handles, plan } })];
  }

  /** Batches of an epoch; the last one may be smaller. */
  get batches(): number {
    return batchCount(this.#plan);
  }

  get #plan(): EpochPlan {
    const { count, batchSize } = this;
    return { count, batchSize, joinsLone: this.#options.joinsLone };
  }

  /** An epoch's batches in order, from the batch `from` on. One epoch is read at a time. */
  async *epoch(epoch: number, from = 0): AsyncGenerator<Batch> {
    const { shuffle = false, seed } = this.#options;
    const order = epochOrder(this.count, epoch, { shuffle, seed });
    const pending: Promise<Reply>[] = [];
    this.#pending = pending;
    const plan = this.#plan;
    const rowsOf = (index: number) => batchRows(order, index, plan);
    let next = from;
    const request = (): void => {
      if (next >= this.batches) return;
      pending.push(this.#request({ epoch, index: next, rows: rowsOf(next) }));
      next++;
    };
    for (let i = 0; i < SPARE + this.#threads.length; i++) request();
    const turns = new Turns(this.#options.signal);
    try {
      for (let index = from; index < this.batches; index++) {
        await turns.next();
        const began = performance.now();
        const reply = await pending.shift()!;
        this.waited += (performance.now() - began) / 1000;
        request();
        yield this.#received(reply, { epoch, index, rows: rowsOf(index) });
      }
    } finally {
      for (const reply of await Promise.all(pending)) discard(reply);
    }
  }

  /** A batch of these rows, augmented as the epoch has them. */
  async batchOf(rows: Int32Array, epoch: number): Promise<Batch> {
    const request = { epoch, index: 0, rows };
    return this.#received(await this.#request(request), request);
  }

  #received(reply: Reply, { epoch, index, rows }: BatchRequest): Batch {
    if ("error" in reply) {
      const { error, hint } = reply;
      const text = `batch ${index} of epoch ${epoch}: ${error}`;
      throw new BatchError(text, hint === undefined ? {} : { hint });
    }
    const { mix, seed } = this.#options;
    return unscoped(() => {
      const images = new Tensor(reply.images);
      const [, , height = 0, width = 0] = images.shape;
      return {
        images,
        labels: new Tensor(reply.labels),
        size: rows.length,
        index,
        rows,
        ...(mix && { mix: drawMix(mix, { seed, epoch, index }, [height, width]) }),
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // An epoch that was left without being closed has batches under way.
    for (const reply of await Promise.all(this.#pending)) discard(reply);
    await Promise.all(this.#threads.map((thread) => thread.close()));
    if (this.#store) closeStore(this.#store);
    for (const tensor of this.#held) tensor.dispose();
  }

  /** Batches go round the threads, so that each is made of as many. */
  #request(request: BatchRequest): Promise<Reply> {
    return this.#threads[request.index % this.#threads.length]!.request(request);
  }
}

function discard(reply: Reply): void {
  if ("error" in reply) return;
  new Tensor(reply.images).dispose();
  new Tensor(reply.labels).dispose();
}
