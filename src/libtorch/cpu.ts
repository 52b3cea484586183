import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

/** What of the CPU decides about precision and threads. */
export interface CpuInfo {
  readonly model: string;
  /** Hardware threads that this process may use. */
  readonly threads: number;
  /** Physical cores behind those threads, within the container's CPU quota. */
  readonly cores: number;
  readonly avx2: boolean;
  readonly avx512: boolean;
  readonly avx512Bf16: boolean;
  readonly amxBf16: boolean;
}

/** Sources of {@link cpuInfo}; Linux files are absent elsewhere. */
export interface CpuSources {
  readonly cpuinfo: string;
  readonly status: string;
  readonly cpuMax: string;
  readonly threads: number;
  readonly model: string;
}

export function cpuInfo(sources: CpuSources = readSources()): CpuInfo {
  const flags = new Set((/^flags\s*:\s*(.*)$/m.exec(sources.cpuinfo)?.[1] ?? "").split(" "));
  const has = (...names: string[]) => names.every((name) => flags.has(name));
  return {
    model: /^model name\s*:\s*(.*)$/m.exec(sources.cpuinfo)?.[1] ?? sources.model,
    threads: sources.threads,
    cores: Math.max(1, Math.min(physicalCores(sources), quota(sources.cpuMax))),
    avx2: has("avx2", "fma"),
    avx512: has("avx512f", "avx512bw", "avx512dq", "avx512vl"),
    avx512Bf16: has("avx512_bf16"),
    amxBf16: has("amx_bf16", "amx_tile"),
  };
}

function readSources(): CpuSources {
  return {
    cpuinfo: readIfThere("/proc/cpuinfo"),
    status: readIfThere("/proc/self/status"),
    cpuMax: readIfThere("/sys/fs/cgroup/cpu.max"),
    threads: availableParallelism(),
    model: cpus()[0]?.model ?? "unknown",
  };
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** Two hardware threads of one core share its matrix units, so one worker a core is the most that helps. */
function physicalCores(sources: CpuSources): number {
  const allowed = parseList(/^Cpus_allowed_list:\s*(.*)$/m.exec(sources.status)?.[1] ?? "");
  const cores = new Set<string>();
  for (const block of sources.cpuinfo.split(/\n\s*\n/)) {
    const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(block)?.[1];
    const processor = field("processor");
    const core = field("core id");
    if (processor === undefined || core === undefined) continue;
    if (allowed.size > 0 && !allowed.has(Number(processor))) continue;
    cores.add(`${field("physical id") ?? "0"}/${core}`);
  }
  return cores.size > 0 ? Math.min(cores.size, sources.threads) : sources.threads;
}

/** `0-3,8` → 0, 1, 2, 3, 8 */
function parseList(text: string): Set<number> {
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const [first, last] = part.split("-").map(Number);
    if (first === undefined || Number.isNaN(first) || part.trim() === "") continue;
    for (let i = first; i <= (last ?? first); i++) numbers.add(i);
  }
  return numbers;
}

/** cgroup v2's `cpu.max`: "quota period" in microseconds, or "max period". */
function quota(cpuMax: string): number {
  const [limit, period] = cpuMax.trim().split(/\s+/).map(Number);
  if (limit === undefined || period === undefined || Number.isNaN(limit) || !(period > 0)) {
    return Number.POSITIVE_INFINITY;
  }
  return Math.max(1, Math.floor(limit / period));
}

export interface PrecisionChoice {
  readonly precision: "bf16" | "fp32";
  readonly reason: string;
}

/** What `--precision auto` means on this CPU. A GPU is asked about through the addon. */
export function cpuPrecision(cpu: CpuInfo): PrecisionChoice {
  if (cpu.amxBf16) return { precision: "bf16", reason: "the CPU has AMX-BF16" };
  if (cpu.avx512Bf16) return { precision: "bf16", reason: "the CPU has AVX512-BF16" };
  return { precision: "fp32", reason: "the CPU has neither AMX-BF16 nor AVX512-BF16" };
}
