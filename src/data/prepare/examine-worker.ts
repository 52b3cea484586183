// A thread that decodes images for `thaw data`, one after the other.
import { parentPort, workerData } from "node:worker_threads";
import type { FileReply, FileRequest } from "../file-threads.ts";
import { type Examination, type ExamineOptions, Examiner } from "./examine.ts";

const port = parentPort!;
const examiner = new Examiner(workerData as ExamineOptions);

let queue: Promise<void> = Promise.resolve();
port.on("message", ({ index, path }: FileRequest) => {
  queue = queue.then(async () => {
    const result = await examiner.examine(path);
    port.postMessage({ index, result } satisfies FileReply<Examination>);
  });
});
