import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { ThawError } from "../errors.ts";

/** What goes to a worker; it answers with a {@link FileReply}. */
export interface FileRequest {
  readonly index: number;
  readonly path: string;
}
export interface FileReply<R> {
  readonly index: number;
  readonly result: R;
}

export interface FileThreads<R> {
  /** The worker's file below `dist/data`, such as `folders/check-worker.js`. */
  readonly worker: string;
  readonly workerData: unknown;
  /** What a worker does, for files so few that threads are not worth starting. */
  readonly here: (request: FileRequest) => Promise<R>;
}

/** For fewer, starting threads takes longer than the work. */
const WORTH_THREADS = 48;
const MAX_THREADS = 8;
/** So that a thread never waits for the main one. */
const AHEAD = 3;

/**
 * Has files looked at in threads of their own. `seen` is called for each as it is done, in any order; what it throws ends
 * the work.
 */
export async function eachFile<R>(
  paths: readonly string[],
  { worker: file, workerData, here }: FileThreads<R>,
  seen: (index: number, result: R) => void,
): Promise<void> {
  if (paths.length < WORTH_THREADS) {
    for (const [index, path] of paths.entries()) seen(index, await here({ index, path }));
    return;
  }
  let next = 0;
  let done = 0;
  const workers = Array.from(
    { length: Math.min(MAX_THREADS, availableParallelism()) },
    () => new Worker(entry(file), { workerData }),
  );
  try {
    await new Promise<void>((resolve, reject) => {
      const feed = (worker: Worker): void => {
        if (next >= paths.length) return;
        worker.postMessage({ index: next, path: paths[next]! } satisfies FileRequest);
        next++;
      };
      for (const worker of workers) {
        worker.on("message", ({ index, result }: FileReply<R>) => {
          try {
            seen(index, result);
          } catch (error) {
            reject(error as Error);
            return;
          }
          feed(worker);
          if (++done === paths.length) resolve();
        });
        worker.on("error", (cause) =>
          reject(
            new ThawError(`a thread that decodes images stopped: ${cause.message}`, { cause }),
          ),
        );
        for (let i = 0; i < AHEAD; i++) feed(worker);
      }
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Node runs no TypeScript in workers: a test that runs from the sources takes the compiled worker. */
function entry(file: string): URL {
  const here = import.meta.url.endsWith(".ts") ? "../../dist/data/" : "./";
  return new URL(`${here}${file}`, import.meta.url);
}
