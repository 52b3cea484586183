import { Worker } from "node:worker_threads";
import { ThawError } from "../errors.ts";
import { getThreads, type Handle, Tensor, unscoped } from "../tensor/index.ts";
import type { BatchPlan, BatchRequest } from "./batch.ts";
import type { ImageSet } from "./imageset.ts";
import { seedStream, shuffle } from "./random.ts";

export interface LoaderOptions extends BatchPlan {
  readonly batchSize: number;
  /** A new order every epoch, from the seed. */
  readonly shuffle?: boolean;
}

/** float32 [size, C, H, W] and int64 [size]; the receiver disposes them. */
export interface Batch {
  readonly images: Tensor;
  readonly labels: Tensor;
  readonly size: number;
  /** Its place in the epoch, from 0. */
  readonly index: number;
}

/** Batches that are under way while the step trains: one being made, one ready, one for unevenness. */
const AHEAD = 3;

type Reply = { images: Handle; labels: Handle } | { error: string };

/**
 * Batches of a split, prepared in a thread of their own while the current one is trained on. Order and
 * augmentation depend on seed, epoch and place alone: any epoch can be read again from any batch on.
 */
export class Loader implements AsyncDisposable {
  readonly count: number;
  readonly batchSize: number;
  readonly #options: LoaderOptions;
  readonly #images: Tensor;
  readonly #labels: Tensor;
  readonly #worker: Worker;
  readonly #waiting: ((reply: Reply) => void)[] = [];
  #pending: readonly Promise<Reply>[] = [];
  #failure: Error | undefined;

  constructor(set: ImageSet, options: LoaderOptions) {
    this.count = set.count;
    this.batchSize = options.batchSize;
    this.#options = options;
    const { images, labels } = unscoped(() => ({
      images: Tensor.borrow(set.images, [set.count, set.channels, set.height, set.width]),
      labels: Tensor.from(BigInt64Array.from(set.labels, BigInt), [set.count]),
    }));
    this.#images = images;
    this.#labels = labels;
    // libtorch settles this thread's own thread count now, before the worker chooses one for itself.
    getThreads();
    const { mean, std, memoryFormat, augment, seed } = options;
    this.#worker = new Worker(workerEntry(), {
      workerData: {
        handles: { images: images.handle, labels: labels.handle },
        plan: { mean, std, memoryFormat, seed, ...(augment && { augment }) },
      },
    });
    this.#worker.unref();
    this.#worker.on("message", (reply: Reply) => this.#waiting.shift()!(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", (code) => this.#fail(new Error(`it ended with code ${code}`)));
  }

  /** Batches of an epoch; the last one may be smaller. */
  get batches(): number {
    return Math.ceil(this.count / this.batchSize);
  }

  /** An epoch's batches in order, from the batch `from` on. One epoch is read at a time. */
  async *epoch(epoch: number, from = 0): AsyncGenerator<Batch> {
    const { batchSize } = this;
    const order = this.#order(epoch);
    const pending: Promise<Reply>[] = [];
    this.#pending = pending;
    let next = from;
    const request = (): void => {
      if (next >= this.batches) return;
      const rows = order.slice(next * batchSize, (next + 1) * batchSize);
      pending.push(this.#request({ epoch, index: next++, rows }));
    };
    for (let i = 0; i < AHEAD; i++) request();
    try {
      for (let index = from; index < this.batches; index++) {
        const reply = await pending.shift()!;
        request();
        if ("error" in reply)
          throw new ThawError(`batch ${index} of epoch ${epoch}: ${reply.error}`);
        const size = Math.min(batchSize, this.count - index * batchSize);
        yield unscoped(() => ({
          images: new Tensor(reply.images),
          labels: new Tensor(reply.labels),
          size,
          index,
        }));
      }
    } finally {
      for (const reply of await Promise.all(pending)) discard(reply);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // An epoch that was left without being closed has batches under way.
    for (const reply of await Promise.all(this.#pending)) discard(reply);
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.ref();
    this.#worker.postMessage("close");
    if (this.#failure === undefined) await ended;
    this.#images.dispose();
    this.#labels.dispose();
  }

  #order(epoch: number): Int32Array {
    if (this.#options.shuffle) {
      return shuffle(this.count, seedStream(this.#options.seed, `shuffle/${epoch}`));
    }
    return Int32Array.from({ length: this.count }, (_, i) => i);
  }

  #request(request: BatchRequest): Promise<Reply> {
    if (this.#failure) return Promise.resolve({ error: this.#failure.message });
    return new Promise((resolve) => {
      // A worker that is waited for keeps the process alive, an idle one does not.
      this.#worker.ref();
      this.#waiting.push((reply) => {
        if (this.#waiting.length === 0) this.#worker.unref();
        resolve(reply);
      });
      this.#worker.postMessage(request);
    });
  }

  #fail(error: Error): void {
    this.#failure ??= new Error(`the data thread stopped: ${error.message}`);
    while (this.#waiting.length > 0) this.#waiting.shift()!({ error: this.#failure.message });
  }
}

function discard(reply: Reply): void {
  if ("error" in reply) return;
  new Tensor(reply.images).dispose();
  new Tensor(reply.labels).dispose();
}

/** Node runs no TypeScript in workers: a test that runs from the sources takes the compiled worker. */
function workerEntry(): URL {
  const compiled = import.meta.url.endsWith(".ts") ? "../../dist/data/worker.js" : "./worker.js";
  return new URL(compiled, import.meta.url);
}
