export { type CpuInfo, cpuInfo, cpuPrecision, type PrecisionChoice } from "./cpu.ts";
export { type DoctorReport, examine, thawVersion } from "./doctor.ts";
export { cacheHome, packageRoot } from "./home.ts";
export { amxState, loadNative } from "./load.ts";
export { type LockOptions, withLock } from "./lock.ts";
export type { AmxState, Native, NativeVersion } from "./native.ts";
export { ensureNative, type PrepareOptions, prepareNative } from "./prepare.ts";
