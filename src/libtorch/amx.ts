import { isMainThread } from "node:worker_threads";
import type { AmxState, Native } from "./native.ts";

/**
 * Makes AMX usable for oneDNN, or keeps oneDNN from it where its first tile instruction would end the
 * process. `THAW_AMX=off` does the latter by choice. Before the first operator, on the main thread.
 */
export function settleAmx(native: Pick<Native, "prepareAmx">, env = process.env): AmxState {
  if (!isMainThread) return "absent";
  const state = env["THAW_AMX"] === "off" ? "unusable" : native.prepareAmx();
  // oneDNN reads it when it makes its first kernel, which is after this.
  if (state === "unusable") env["ONEDNN_MAX_CPU_ISA"] ??= "AVX512_CORE_BF16";
  return state;
}
