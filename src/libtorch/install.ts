import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ThawError } from "../errors.ts";
import { removeAbandoned, removeQuietly, temporaryPath } from "../platform/temporary.ts";
import { aptCandidate, aptInstall, whyNoApt } from "./apt.ts";
import { defaultCompiler } from "./compile.ts";
import { downloadVerified } from "./download.ts";
import type { Host, Log } from "./host.ts";
import { compareVersions, OLDEST_LIBTORCH } from "./inspect.ts";
import type { LocateStep } from "./locate.ts";
import { officialBuild } from "./official.ts";
import { unzip } from "./unzip.ts";

// The CPU build of 2.7.1 unpacks to about 1 GB in 10,000 files.
const LIMITS = { totalBytes: 12e9, entries: 50_000 } as const;

/** A way to get libtorch onto a machine that has none; where it is then found is the chain's business. */
export interface Installer {
  readonly step: string;
  /** undefined when done, else why not. */
  install(host: Host, cache: string, log: Log): Promise<string | undefined>;
}

/** Tried in this order. */
export const INSTALLERS: readonly Installer[] = [
  { step: "apt-get install libtorch-dev", install: installByApt },
  { step: "download of the official build", install: installOfficial },
];

/** Debian's libtorch and a BLAS that shares its threads. */
export const LIBTORCH_PACKAGES = ["libtorch-dev", "libopenblas0-openmp"];

/** The error of a machine where every step has failed. */
export function noLibtorch(steps: readonly LocateStep[]): ThawError {
  const lines = steps.map(({ step, outcome }) => `  - ${step}: ${outcome}`);
  return new ThawError(
    `there is no libtorch that can be used and no way to get one; tried in order:\n${lines.join("\n")}`,
    {
      hint: "any of these is enough: `apt-get install libtorch-dev` (Debian, Ubuntu); `pip install torch` in a virtual environment that is active; an unpacked libtorch from pytorch.org with THAW_LIBTORCH set to its folder",
    },
  );
}

async function installByApt(host: Host, _cache: string, log: Log): Promise<string | undefined> {
  const why = await whyNoApt(host);
  if (why !== undefined) return why;
  const candidate = await aptCandidate(host, "libtorch-dev");
  if (candidate === undefined) return "apt knows no libtorch-dev (is its package list reachable?)";
  if (compareVersions(candidate, OLDEST_LIBTORCH) < 0) {
    return `apt's libtorch-dev is ${candidate}, older than ${OLDEST_LIBTORCH}`;
  }
  return aptInstall(host, LIBTORCH_PACKAGES, log);
}

async function installOfficial(host: Host, cache: string, log: Log): Promise<string | undefined> {
  const why = await host.mayInstall(["PyTorch's official libtorch (a download)"]);
  if (why !== undefined) return why;
  const official = officialBuild(host);
  if (official === undefined) return `PyTorch has no archive for ${host.platform}-${host.arch}`;
  const { url, version, sha256 } = official;
  if (sha256 === undefined) {
    return `no checksum is known for ${url}: set THAW_LIBTORCH_SHA256 to one you trust (sha256 of the file as you downloaded it)`;
  }
  const folder = join(cache, "libtorch");
  removeAbandoned(folder);
  const temporary = temporaryPath(join(folder, version));
  const archive = join(temporary, `libtorch-${version}.zip`);
  const unpacked = join(temporary, "unpacked");
  try {
    log(`downloading ${url}`);
    let shown = 0;
    await downloadVerified(url, archive, sha256, {
      onProgress: (bytes, total) => {
        const tenths = total === undefined ? 0 : Math.floor((bytes / total) * 10);
        if (tenths > shown) log(`  ${tenths * 10} % of ${Math.round(total! / 1e6)} MB`);
        shown = tenths;
      },
    });
    await unzip(archive, unpacked, LIMITS);
    const target = join(folder, version);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    renameSync(join(unpacked, "libtorch"), target);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    removeQuietly(temporary);
  }
}

/** The packages of CMake, a C++ compiler and make, as far as they are missing. */
export async function missingBuildTools(host: Host): Promise<readonly string[]> {
  const missing: string[] = [];
  const has = async (command: string) => !(await host.run(command, ["--version"])).missing;
  if (!(await has("cmake"))) missing.push("cmake");
  const compiler = (host.env["CXX"] || defaultCompiler(host)).split(" ")[0]!;
  // Visual Studio's compiler is found by CMake itself, on no PATH.
  if (host.platform !== "win32") {
    if (!(await has(compiler))) missing.push("g++");
    if (!(await has("make")) && !(await has("ninja"))) missing.push("make");
  }
  return missing;
}

/**
 * CMake, a C++ compiler and make, installed by apt where they are missing and that is possible.
 * @throws ThawError naming what is missing and how to get it.
 */
export async function ensureBuildTools(host: Host, log: Log): Promise<void> {
  const missing = await missingBuildTools(host);
  if (missing.length === 0) return;
  const failure = await aptInstall(host, missing, log);
  if (failure === undefined) return;
  throw new ThawError(
    `to compile the addon, ${missing.join(" and ")} must be installed (${failure})`,
    {
      hint:
        host.platform === "darwin"
          ? "xcode-select --install && brew install cmake"
          : host.platform === "win32"
            ? "install CMake and Visual Studio's Build Tools (C++)"
            : `apt-get install ${missing.join(" ")}, or your distribution's packages of that name`,
    },
  );
}
