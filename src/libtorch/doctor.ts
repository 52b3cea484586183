import { existsSync, readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { basename, join } from "node:path";
import { ThawError } from "../errors.ts";
import { type CpuInfo, cpuInfo, cpuPrecision, type PrecisionChoice } from "./cpu.ts";
import { cacheHome, packageRoot } from "./home.ts";
import { type Host, thisHost } from "./host.ts";
import type { CppAbi } from "./inspect.ts";
import { asStep, candidates, describeBuild, type LocateStep } from "./locate.ts";
import { probeAddon } from "./probe.ts";
import { readStamp, type Stamp } from "./stamp.ts";
import { SETTINGS, threadEnvironment } from "./threads.ts";

/** Something wrong: `fatal` if nothing can be computed because of it. */
export interface Problem {
  readonly what: string;
  readonly hint: string | undefined;
  readonly fatal: boolean;
}

export interface ThreadSetting {
  readonly name: string;
  /** null: left to the library. */
  readonly value: string | null;
  readonly from: "environment" | "thaw" | "library";
  readonly reason: string;
}

/** All that `thaw doctor` knows; the document of its `--json`. */
export interface DoctorReport {
  readonly usable: boolean;
  readonly problems: readonly Problem[];
  readonly thaw: string;
  readonly node: { readonly version: string; readonly nodeApi: string; readonly platform: string };
  readonly cache: string;
  /** What the chain finds now, step by step. */
  readonly chain: readonly LocateStep[];
  /** What is in use: as set-up left it. */
  readonly libtorch: {
    readonly version: string;
    readonly root: string;
    readonly abi: CppAbi;
    readonly cuda: boolean;
    readonly source: string;
  } | null;
  readonly addon: { readonly file: string; readonly key: string; readonly cuda: boolean } | null;
  readonly probe: {
    readonly blas: string;
    readonly openmp: string | null;
    readonly onednn: boolean;
    readonly cudaDevices: number;
    /** What decodes JPEG files: the library's path, or null where sharp does. */
    readonly turbojpeg: string | null;
    readonly mapped: readonly string[];
  } | null;
  readonly cpu: CpuInfo;
  readonly precision: PrecisionChoice;
  readonly threads: readonly ThreadSetting[];
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
}

/** Looks at everything and changes nothing; the addon is loaded in a child process only. */
export async function examine(
  options: { host?: Host; cache?: string; nativeDir?: string } = {},
): Promise<DoctorReport> {
  const host = options.host ?? thisHost();
  const cache = options.cache ?? cacheHome(host.env, host.home);
  const nativeDir = options.nativeDir ?? join(packageRoot(), "native");
  const problems: Problem[] = [];
  const cpu = cpuInfo();
  const added = threadEnvironment(cpu, host.env);
  const stamp = readStamp(cache, nativeDir, host.env);
  const chain = await lookAgain(host, cache, stamp, problems);
  let probe: DoctorReport["probe"] = null;
  if (stamp === undefined) {
    problems.push({
      what: "the addon is not compiled for this libtorch and these sources",
      hint: "run `thaw setup`",
      fatal: true,
    });
  } else {
    try {
      probe = summarize(
        await probeAddon(stamp.addon.file, { env: added, libtorch: stamp.libtorch.version }),
      );
      problems.push(...blasProblems(probe.mapped));
    } catch (error) {
      problems.push(asProblem(error));
    }
  }
  return {
    usable: !problems.some((problem) => problem.fatal),
    problems,
    thaw: thawVersion(),
    node: {
      version: process.versions.node,
      nodeApi: process.versions["napi"] ?? "?",
      platform: `${host.platform}-${host.arch}`,
    },
    cache,
    chain,
    libtorch: stamp
      ? {
          version: stamp.libtorch.version,
          root: stamp.libtorch.root,
          abi: stamp.libtorch.abi,
          cuda: stamp.libtorch.cuda,
          source: stamp.libtorch.source,
        }
      : null,
    addon: stamp?.addon ?? null,
    probe,
    cpu,
    precision: cpuPrecision(cpu),
    threads: SETTINGS.map(({ name, reason }) => ({
      name,
      value: host.env[name] ?? added[name] ?? null,
      from: host.env[name] !== undefined ? "environment" : name in added ? "thaw" : "library",
      reason,
    })),
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
  };
}

/** Thaw's own version, from its package.json. */
export function thawVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")).version;
}

/** The chain up to the libtorch in use, with the reason against each that was passed over for it. */
async function lookAgain(
  host: Host,
  cache: string,
  stamp: Stamp | undefined,
  problems: Problem[],
): Promise<readonly LocateStep[]> {
  const steps: LocateStep[] = [];
  let isUntried = false;
  try {
    for await (const candidate of candidates(host, cache)) {
      if ("reason" in candidate) {
        steps.push(asStep(candidate));
        continue;
      }
      const { step, libtorch } = candidate;
      const isUsed = stamp?.libtorch.libDir === libtorch.libDir;
      if (stamp === undefined || isUsed) {
        steps.push(asStep(candidate));
        return steps;
      }
      const passedOver = stamp.passedOver.find(({ libDir }) => libDir === libtorch.libDir);
      isUntried ||= passedOver === undefined;
      const reason = passedOver?.reason ?? "not tried: it came after set-up";
      steps.push({ step, found: false, outcome: `${describeBuild(libtorch)}: ${reason}` });
    }
    if (stamp === undefined) {
      problems.push({ what: "there is no libtorch", hint: "run `thaw setup`", fatal: true });
    }
    return steps;
  } catch (error) {
    problems.push(asProblem(error));
    return steps;
  } finally {
    if (isUntried) {
      problems.push({
        what: "there is a libtorch that came after set-up and would be taken before the one in use",
        hint: "run `thaw setup --force` to try it",
        fatal: false,
      });
    }
  }
}

function asProblem(error: unknown): Problem {
  const hint = error instanceof ThawError ? error.hint : undefined;
  return { what: (error as Error).message, hint, fatal: true };
}

function summarize(report: Awaited<ReturnType<typeof probeAddon>>): DoctorReport["probe"] & object {
  const { version, mapped } = report;
  const blas = mapped.find((file) => /libopenblas|libmkl|libblas/.test(basename(file)));
  return {
    blas: blas ?? (version["mkl"] ? "MKL, inside libtorch" : "unknown"),
    openmp: mapped.find((file) => /lib(g|i|)omp/.test(basename(file))) ?? null,
    onednn: version["mkldnn"] === true,
    cudaDevices: Number(version["cudaDevices"] ?? 0),
    turbojpeg: mapped.find((file) => basename(file).includes("turbojpeg")) ?? null,
    mapped,
  };
}

function blasProblems(mapped: readonly string[]): Problem[] {
  if (!mapped.some((file) => file.includes("/openblas-pthread/"))) return [];
  const installed = mapped.some((file) => file.includes("/openblas-openmp/"));
  return [
    {
      what: "OpenBLAS runs threads of its own beside OpenMP's: fp32 steps take up to 1.8× as long",
      hint: existsSync("/usr/bin/apt-get")
        ? `${installed ? "" : "apt-get install libopenblas0-openmp, then "}\`thaw setup --force\``
        : "use an OpenBLAS built with USE_OPENMP=1",
      fatal: false,
    },
  ];
}
