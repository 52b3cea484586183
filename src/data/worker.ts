// The loader's thread: prepares batches beside the training step, on the cycles that the step leaves.
import { parentPort, workerData } from "node:worker_threads";
import { setNiceness, setThreads, Tensor } from "../tensor/index.ts";
import { type BatchPlan, type BatchRequest, prepareBatch, type SplitHandles } from "./batch.ts";

const port = parentPort!;
const { handles, plan } = workerData as { handles: SplitHandles; plan: BatchPlan };
// Beside a step's spinning OpenMP workers, a data thread of equal priority costs up to three quarters
// of the step's speed; at the lowest priority 3 %.
setNiceness(19);
setThreads(1);
const split = { images: new Tensor(handles.images), labels: new Tensor(handles.labels) };

port.on("message", (request: BatchRequest | "close") => {
  if (request === "close") {
    // The handles are the main thread's.
    split.images.release();
    split.labels.release();
    port.close();
    return;
  }
  try {
    const { images, labels } = prepareBatch(split, plan, request);
    port.postMessage({ images: images.release(), labels: labels.release() });
  } catch (error) {
    port.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
});
