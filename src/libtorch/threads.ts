import { isMainThread } from "node:worker_threads";
import type { CpuInfo } from "./cpu.ts";

/** A variable that libgomp, OpenBLAS or libtorch reads once, when it is loaded. */
interface Setting {
  readonly name: string;
  readonly reason: string;
  /** undefined: left to the library. */
  value(cpu: CpuInfo): string | undefined;
}

/** Everything that is set before libtorch is loaded, and why; a user's own value always wins. */
export const SETTINGS: readonly Setting[] = [
  {
    name: "OMP_NUM_THREADS",
    reason: "Debian's libtorch uses 1 thread by itself; more than one a core is slower",
    value: (cpu) => String(cpu.cores),
  },
  {
    name: "ATEN_CPU_CAPABILITY",
    // Older CPUs lower their clock under AVX-512, which is why libtorch 1.13 never chooses it.
    reason:
      "libtorch 1.13 stays with AVX2; on CPUs with AVX512-BF16 its bf16 kernels gain up to 8×",
    value: (cpu) => (cpu.avx512 && cpu.avx512Bf16 ? "avx512" : undefined),
  },
  {
    name: "OMP_WAIT_POLICY",
    reason: "idle workers spin: 10 % faster than passive waiting, as long as data threads are nice",
    value: () => undefined,
  },
];

/** The variables {@link SETTINGS} would add to an environment. */
export function threadEnvironment(
  cpu: CpuInfo,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const added: Record<string, string> = {};
  for (const setting of SETTINGS) {
    const value = setting.value(cpu);
    if (value !== undefined && env[setting.name] === undefined) added[setting.name] = value;
  }
  return added;
}

/**
 * Sets the variables in this process. Node's process.env calls setenv, so libraries loaded later see
 * them; in a worker process.env is a copy, but there the main thread has loaded libtorch already.
 */
export function applyThreadEnvironment(cpu: CpuInfo): void {
  if (isMainThread) Object.assign(process.env, threadEnvironment(cpu, process.env));
}
