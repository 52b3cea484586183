import { eachFile } from "../file-threads.ts";
import { type Examination, type ExamineOptions, Examiner } from "./examine.ts";

/**
 * Examines files in threads of their own. `seen` hears of each as it is done, in any order; what it
 * throws ends the work.
 */
export async function examineFiles(
  paths: readonly string[],
  options: ExamineOptions,
  seen: (index: number, examination: Examination) => void,
): Promise<void> {
  const examiner = new Examiner(options);
  const worker = "prepare/examine-worker.js";
  const here = ({ path }: { path: string }) => examiner.examine(path);
  await eachFile(paths, { worker, workerData: options, here }, seen);
}
