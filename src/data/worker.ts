// A loader's thread: prepares batches beside the training step, on the cycles that the step leaves.
import { parentPort, workerData } from "node:worker_threads";
import { ThawError } from "../errors.ts";
import { setNiceness, setThreads, Tensor } from "../tensor/index.ts";
import { type BatchPlan, type BatchRequest, prepareBatch, type SplitHandles } from "./batch.ts";
import { FileBatches, type FileRows } from "./files/file-batch.ts";
import type { ImageFit } from "./files/fit.ts";
import { type AnyStore, openStore } from "./files/open-store.ts";

/** What a worker is started with: images in memory, or images in files. */
export type WorkerData =
  | { readonly handles: SplitHandles; readonly plan: BatchPlan }
  | {
      readonly files: FileRows;
      readonly plan: BatchPlan & { readonly fit: ImageFit };
      readonly store?: AnyStore;
      readonly watch: Int32Array<SharedArrayBuffer>;
    };

interface Source {
  prepare(request: BatchRequest): Promise<{ images: Tensor; labels: Tensor }>;
  close(): void;
}

const port = parentPort!;
// Beside a step's spinning OpenMP workers, a data thread of equal priority costs up to three quarters
// of the step's speed; at the lowest priority 3 %.
setNiceness(19);
setThreads(1);
const source = open(workerData as WorkerData);

function open(data: WorkerData): Source {
  if ("files" in data) {
    const { files, plan, watch } = data;
    const store = data.store && openStore(data.store);
    const batches = new FileBatches(files, plan, store, (row) => {
      Atomics.store(watch, 0, row + 1);
      Atomics.add(watch, 1, 1);
    });
    return {
      prepare: (request) => batches.prepare(request),
      close: () => store?.close(),
    };
  }
  const { handles, plan } = data;
  const split = { images: new Tensor(handles.images), labels: new Tensor(handles.labels) };
  return {
    prepare: async (request) => prepareBatch(split, plan, request),
    close: () => {
      // The handles are the main thread's.
      split.images.release();
      split.labels.release();
    },
  };
}

async function answer(request: BatchRequest): Promise<void> {
  try {
    const { images, labels } = await source.prepare(request);
    port.postMessage({ images: images.release(), labels: labels.release() });
  } catch (error) {
    const hint = error instanceof ThawError ? error.hint : undefined;
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ error: message, ...(hint !== undefined && { hint }) });
  }
}

// One after the other: batches share their memory.
let last = Promise.resolve();
port.on("message", (request: BatchRequest | "close") => {
  last = last.then(() => {
    if (request !== "close") return answer(request);
    source.close();
    return port.close();
  });
});
