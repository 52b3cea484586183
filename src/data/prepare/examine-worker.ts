// A thread that decodes images for `thaw data`, one after the other.
import { parentPort, workerData } from "node:worker_threads";
import { Examiner } from "./examine.ts";
import type { ExamineOptions, ExamineReply, ExamineRequest } from "./examine-files.ts";

const port = parentPort!;
const examiner = new Examiner(workerData as ExamineOptions);

let queue: Promise<void> = Promise.resolve();
port.on("message", ({ index, path }: ExamineRequest) => {
  queue = queue.then(async () => {
    port.postMessage({ index, ...(await examiner.examine(path)) } satisfies ExamineReply);
  });
});
