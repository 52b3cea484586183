// A thread that looks at images before a training begins, one after the other.
import { parentPort, workerData } from "node:worker_threads";
import type { FileReply, FileRequest } from "../file-threads.ts";
import type { PixelRange } from "../images/decode.ts";
import { type CheckedFile, FileChecker } from "./check-file.ts";

export interface CheckWorkerData {
  readonly stamps: readonly string[];
  readonly pixelRange?: PixelRange | undefined;
}

const port = parentPort!;
const { stamps, pixelRange } = workerData as CheckWorkerData;
const checker = new FileChecker({ pixelRange });

let queue: Promise<void> = Promise.resolve();
port.on("message", ({ index, path }: FileRequest) => {
  queue = queue.then(async () => {
    const result = await checker.check(path, stamps[index]!);
    port.postMessage({ index, result } satisfies FileReply<CheckedFile>);
  });
});
