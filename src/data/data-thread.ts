import { Worker } from "node:worker_threads";
import type { Handle } from "../tensor/index.ts";
import type { BatchRequest } from "./batch.ts";

export type Reply =
  | { readonly images: Handle; readonly labels: Handle }
  | { readonly error: string; readonly hint?: string };

export interface DataThreadOptions {
  /** What `worker.ts` is started with. */
  readonly workerData: object;
  /** [rows whose file is being read + 1, or 0; how many were], written by the worker. */
  readonly watch?: Int32Array<SharedArrayBuffer>;
  /** The file of a row. */
  readonly nameOf?: (row: number) => string;
  /** So long may one file take. */
  readonly stallSeconds?: number;
}

const STALL_SECONDS = 120;

/** A thread that makes batches, one after the other. Its death or a file that hangs is an answer, not silence. */
export class DataThread {
  readonly #worker: Worker;
  readonly #options: DataThreadOptions;
  readonly #waiting: ((reply: Reply) => void)[] = [];
  #failure: string | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #lastSeen = -1;
  #since = 0;

  constructor(options: DataThreadOptions) {
    this.#options = options;
    this.#worker = new Worker(workerEntry(), { workerData: options.workerData });
    this.#worker.unref();
    this.#worker.on("message", (reply: Reply) => this.#waiting.shift()?.(reply));
    this.#worker.on("error", (error) => this.#fail(`the data thread stopped: ${error.message}`));
    this.#worker.on("exit", (code) =>
      this.#fail(`the data thread stopped: it ended with code ${code}`),
    );
  }

  request(request: BatchRequest): Promise<Reply> {
    if (this.#failure) return Promise.resolve({ error: this.#failure });
    return new Promise((resolve) => {
      // A worker that is waited for keeps the process alive, an idle one does not.
      this.#worker.ref();
      this.#startWatching();
      this.#waiting.push((reply) => {
        if (this.#waiting.length === 0) {
          this.#worker.unref();
          this.#stopWatching();
        }
        resolve(reply);
      });
      this.#worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.ref();
    this.#worker.postMessage("close");
    if (this.#failure === undefined) await ended;
  }

  #fail(why: string): void {
    this.#failure ??= `${why}${this.#busyWith()}`;
    this.#stopWatching();
    while (this.#waiting.length > 0) this.#waiting.shift()!({ error: this.#failure });
  }

  /** The file it had in hand. */
  #busyWith(): string {
    const { watch, nameOf } = this.#options;
    const row = watch === undefined ? 0 : Atomics.load(watch, 0);
    return row === 0 ? "" : `, while it decoded ${nameOf?.(row - 1) ?? `row ${row - 1}`}`;
  }

  #startWatching(): void {
    const { watch, stallSeconds = STALL_SECONDS } = this.#options;
    if (watch === undefined || this.#watchdog !== undefined) return;
    this.#since = performance.now();
    this.#watchdog = setInterval(
      () => {
        const seen = Atomics.load(watch, 1);
        if (seen !== this.#lastSeen || Atomics.load(watch, 0) === 0) {
          this.#lastSeen = seen;
          this.#since = performance.now();
        } else if (performance.now() - this.#since > stallSeconds * 1000) {
          this.#fail(`no batch: nothing has moved for ${stallSeconds} s`);
          void this.#worker.terminate();
        }
      },
      Math.min(5000, stallSeconds * 250),
    );
    this.#watchdog.unref();
  }

  #stopWatching(): void {
    clearInterval(this.#watchdog);
    this.#watchdog = undefined;
  }
}

/** Node runs no TypeScript in workers: a test that runs from the sources takes the compiled worker. */
function workerEntry(): URL {
  const compiled = import.meta.url.endsWith(".ts") ? "../../dist/data/worker.js" : "./worker.js";
  return new URL(compiled, import.meta.url);
}
