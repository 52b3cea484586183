import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { ThawError } from "../../errors.ts";
import { type Examination, Examiner } from "./examine.ts";

export interface ExamineOptions {
  /** Thumbnails and sums of the pixels, too. */
  readonly summaries: boolean;
}

/** What goes to a worker and comes back. */
export interface ExamineRequest {
  readonly index: number;
  readonly path: string;
}
export interface ExamineReply extends Examination {
  readonly index: number;
}

/** For fewer, starting threads takes longer than the work. */
const WORTH_THREADS = 48;
const MAX_THREADS = 8;
/** So that a thread never waits for the main one. */
const AHEAD = 3;

/**
 * Examines files in threads of their own. `seen` hears of each as it is done, in any order; what it
 * throws ends the work.
 */
export async function examineFiles(
  paths: readonly string[],
  options: ExamineOptions,
  seen: (index: number, examination: Examination) => void,
): Promise<void> {
  const threads = Math.min(MAX_THREADS, availableParallelism());
  if (paths.length < WORTH_THREADS) {
    const examiner = new Examiner(options);
    for (const [index, path] of paths.entries()) seen(index, await examiner.examine(path));
    return;
  }
  let next = 0;
  let done = 0;
  const workers = Array.from(
    { length: threads },
    () => new Worker(workerEntry(), { workerData: options }),
  );
  try {
    await new Promise<void>((resolve, reject) => {
      const feed = (worker: Worker): void => {
        if (next >= paths.length) return;
        const request: ExamineRequest = { index: next, path: paths[next]! };
        next++;
        worker.postMessage(request);
      };
      for (const worker of workers) {
        worker.on("message", ({ index, ...examination }: ExamineReply) => {
          try {
            seen(index, examination);
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
function workerEntry(): URL {
  const compiled = import.meta.url.endsWith(".ts")
    ? "../../../dist/data/prepare/examine-worker.js"
    : "./examine-worker.js";
  return new URL(compiled, import.meta.url);
}
