import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";

/** What a run was made with and on: what another person needs to get the same numbers. */
export interface Environment {
  readonly thaw: string;
  readonly node: string;
  readonly os: string;
  readonly cpu: {
    readonly model: string;
    /** Processors this process may use. */
    readonly count: number;
    /** Of the instruction sets that decide libtorch's kernels, those the CPU has; empty where it cannot be known. */
    readonly flags: readonly string[];
  };
  readonly memoryBytes: number;
  readonly threads: number;
  readonly precision: string;
  readonly device: string;
  readonly dataset: {
    readonly name: string;
    readonly fingerprint: string;
    /** Images that could not be decoded and were left out. */
    readonly unusable?: readonly unknown[] | undefined;
  };
  /** Commit of the folder the command ran in, null outside of a repository. `dirty`: with changes not committed. */
  readonly git: { readonly commit: string; readonly dirty: boolean } | null;
  /** libtorch's version and build, as the engine tells them. */
  readonly engine: Readonly<Record<string, unknown>>;
}

export type EnvironmentChoices = Pick<
  Environment,
  "threads" | "precision" | "device" | "dataset" | "engine"
>;

export function describeEnvironment(choices: EnvironmentChoices, cwd = process.cwd()): Environment {
  return {
    thaw: thawVersion(),
    node: process.version,
    os: `${process.platform} ${process.arch} ${release()}`,
    cpu: { model: cpuModel(), count: availableParallelism(), flags: cpuFlags() },
    memoryBytes: totalmem(),
    ...choices,
    git: gitState(cwd),
  };
}

export function thawVersion(): string {
  const path = join(import.meta.dirname, "../../package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

const FLAGS = [
  "avx",
  "avx2",
  "fma",
  "avx512f",
  "avx512_vnni",
  "avx512_bf16",
  "amx_tile",
  "amx_bf16",
];
const ARM_FLAGS = ["asimd", "bf16", "i8mm", "sve", "sve2"];

/** Linux only: elsewhere the CPU's model has to say it. */
function cpuFlags(): string[] {
  try {
    const info = readFileSync("/proc/cpuinfo", "utf8");
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1] ?? "";
    const has = new Set(line.split(" "));
    return [...FLAGS, ...ARM_FLAGS].filter((flag) => has.has(flag));
  } catch {
    return [];
  }
}

function cpuModel(): string {
  return cpus()[0]?.model.trim() || "unknown";
}

function gitState(cwd: string): Environment["git"] {
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd,
      encoding: "utf8",
      timeout: 5000,
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    const commit = git("rev-parse", "HEAD");
    return { commit, dirty: git("status", "--porcelain", "--untracked-files=no") !== "" };
  } catch {
    // No git, no repository or no commit yet.
    return null;
  }
}
