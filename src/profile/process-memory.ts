import { readFileSync, writeFileSync } from "node:fs";

/** Most resident bytes of this process since the last reset (VmHWM); undefined where the system does not say. */
export function peakProcessBytes(): number | undefined {
  try {
    const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))!;
    return 1024 * Number(kilobytes);
  } catch {
    // Not Linux: the peak since the process began, which is never reset.
    const { maxRSS } = process.resourceUsage();
    return maxRSS > 0 ? 1024 * maxRSS : undefined;
  }
}

/** Starts the peak again from what is resident now. Returns whether the system can. (proc(5), clear_refs) */
export function resetPeakProcess(): boolean {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return true;
  } catch {
    return false;
  }
}
