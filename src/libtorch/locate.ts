import { existsSync, readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { ThawError } from "../errors.ts";
import { type Host, systemPath } from "./host.ts";
import { compareVersions, inspectLibtorch, type LibtorchBuild, libraryFile } from "./inspect.ts";

/** One link of the chain: what was looked at, and what came of it. */
export interface LocateStep {
  readonly step: string;
  readonly found: boolean;
  /** What was found and where, or why nothing was. */
  readonly outcome: string;
}

export interface Located {
  readonly libtorch: LibtorchBuild | undefined;
  readonly steps: readonly LocateStep[];
}

/**
 * Looks for libtorch: THAW_LIBTORCH, LIBTORCH, Thaw's cache, torch of the active environment, torch
 * of python3, the system. The first that can be used wins; every step is recorded.
 * @throws ThawError if an explicit choice cannot be used: falling through would hide the mistake.
 */
export async function locateLibtorch(host: Host, cache: string): Promise<Located> {
  const steps: LocateStep[] = [];
  for (const link of CHAIN) {
    const result = await link.look(host, cache);
    if (typeof result !== "string") {
      steps.push({ step: link.step, found: true, outcome: `${result.version} at ${result.root}` });
      return { libtorch: result, steps };
    }
    steps.push({ step: link.step, found: false, outcome: result });
    if (link.explicit && host.env[link.step]) {
      throw new ThawError(
        `${link.step}=${host.env[link.step]} has no libtorch that can be used: ${result}`,
        {
          hint: `point ${link.step} at a folder that holds include/ and lib/ (an unpacked libtorch, or torch in a Python's site-packages), or unset it`,
        },
      );
    }
  }
  return { libtorch: undefined, steps };
}

interface Link {
  readonly step: string;
  readonly explicit?: true;
  look(host: Host, cache: string): Promise<LibtorchBuild | string> | LibtorchBuild | string;
}

const CHAIN: readonly Link[] = [
  { step: "THAW_LIBTORCH", explicit: true, look: (host) => fromVariable(host, "THAW_LIBTORCH") },
  { step: "LIBTORCH", explicit: true, look: (host) => fromVariable(host, "LIBTORCH") },
  { step: "Thaw's cache", look: fromCache },
  { step: "active Python environment", look: fromActiveEnvironment },
  { step: "python3", look: fromPython },
  { step: "system", look: fromSystem },
];

function fromVariable(host: Host, name: string): LibtorchBuild | string {
  const folder = host.env[name];
  return folder ? inspectPrefix(host, folder, name) : "not set";
}

/** Newest first, so that a later `thaw setup` of a newer version is what counts. */
function fromCache(host: Host, cache: string): LibtorchBuild | string {
  const folder = join(cache, "libtorch");
  const versions = list(folder)
    .filter((name) => /^\d/.test(name))
    .sort((a, b) => compareVersions(b, a));
  return firstUsable(
    versions.map((name) => () => inspectPrefix(host, join(folder, name), "Thaw's cache")),
    `nothing in ${folder}`,
  );
}

function fromActiveEnvironment(host: Host): LibtorchBuild | string {
  const places = ["VIRTUAL_ENV", "CONDA_PREFIX"].flatMap((name) => {
    const prefix = host.env[name];
    return prefix ? sitePackages(host, prefix).map((site) => join(site, "torch")) : [];
  });
  if (!host.env["VIRTUAL_ENV"] && !host.env["CONDA_PREFIX"]) {
    return "none is active (VIRTUAL_ENV and CONDA_PREFIX are not set)";
  }
  return firstUsable(
    places
      .filter((place) => existsSync(place))
      .map((place) => () => inspectPrefix(host, place, "active Python environment")),
    "the active environment has no torch",
  );
}

function sitePackages(host: Host, prefix: string): string[] {
  if (host.platform === "win32") return [join(prefix, "Lib", "site-packages")];
  const lib = join(prefix, "lib");
  return list(lib)
    .filter((name) => name.startsWith("python3"))
    .map((name) => join(lib, name, "site-packages"));
}

// Finds the package without importing it: an import takes seconds and may crash.
const FIND_TORCH = [
  "import sys",
  "sys.path = [p for p in sys.path if p]",
  "import importlib.util",
  "spec = importlib.util.find_spec('torch')",
  "print(spec.submodule_search_locations[0] if spec and spec.origin else '')",
].join("\n");

async function fromPython(host: Host): Promise<LibtorchBuild | string> {
  const python = host.platform === "win32" ? "python" : "python3";
  const result = await host.run(python, ["-c", FIND_TORCH], { timeoutMs: 10_000 });
  if (result.missing) return `no ${python} on the PATH`;
  if (result.timedOut) return `${python} gave no answer within 10 s`;
  if (result.code !== 0) return `${python} failed: ${lastLine(result.stderr)}`;
  const folder = result.stdout.trim();
  if (folder === "") return `${python} has no torch`;
  const library = join(folder, "lib", libraryFile("torch_cpu", host.platform));
  if (!existsSync(library) || isSystemLibrary(host, library)) {
    return `torch at ${folder} is the distribution's: its libraries are the system's (next step)`;
  }
  return inspectPrefix(host, folder, python);
}

function isSystemLibrary(host: Host, library: string): boolean {
  const folder = join(realpathSync(library), "..");
  return systemLibDirs(host).includes(folder);
}

function fromSystem(host: Host): LibtorchBuild | string {
  if (host.platform === "win32") return "Windows has no place for system libraries";
  const prefixes =
    host.platform === "darwin"
      ? ["/opt/homebrew/opt/pytorch", "/opt/homebrew", "/usr/local"]
      : ["/usr", "/usr/local"];
  return firstUsable(
    prefixes.map((prefix) => () => inspectPrefix(host, systemPath(host, prefix), "system")),
    "nothing",
  );
}

/** A folder with include/ and lib/, lib64/ or a multiarch lib/; or one that holds such a folder. */
function inspectPrefix(host: Host, prefix: string, source: string): LibtorchBuild | string {
  if (!existsSync(prefix)) return `${prefix} does not exist`;
  const roots = [prefix, join(prefix, "libtorch"), join(prefix, "torch")].filter((root) =>
    existsSync(join(root, "include")),
  );
  if (roots.length === 0) return `${prefix} has no include folder`;
  const reasons: string[] = [];
  for (const root of roots) {
    for (const lib of libNames(host)) {
      const libDir = join(root, lib);
      if (!existsSync(join(libDir, libraryFile("torch_cpu", host.platform)))) continue;
      const build = inspectLibtorch({
        root,
        includeDir: join(root, "include"),
        libDir,
        platform: host.platform,
        source,
      });
      if (typeof build !== "string") return build;
      reasons.push(build);
    }
  }
  if (reasons.length > 0) return reasons.join("; ");
  return `no ${libraryFile("torch_cpu", host.platform)} in ${prefix}/{${libNames(host).join(",")}}`;
}

const TRIPLETS: Readonly<Record<string, string>> = {
  x64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
  arm: "arm-linux-gnueabihf",
  ppc64: "powerpc64le-linux-gnu",
  riscv64: "riscv64-linux-gnu",
  s390x: "s390x-linux-gnu",
};

function libNames(host: Host): string[] {
  const triplet = host.platform === "linux" ? TRIPLETS[host.arch] : undefined;
  return triplet === undefined ? ["lib", "lib64"] : ["lib", "lib64", `lib/${triplet}`];
}

function systemLibDirs(host: Host): string[] {
  return ["/usr", "/usr/local"].flatMap((prefix) =>
    libNames(host).map((lib) => systemPath(host, join(prefix, lib))),
  );
}

/** Debian's folder of the OpenMP build of OpenBLAS: libblas.so.3 and liblapack.so.3, or undefined. */
export function openblasOpenmpDir(host: Host): string | undefined {
  const triplet = TRIPLETS[host.arch];
  if (host.platform !== "linux" || triplet === undefined) return undefined;
  const folder = systemPath(host, `/usr/lib/${triplet}/openblas-openmp`);
  return existsSync(join(folder, "libblas.so.3")) ? folder : undefined;
}

/** The prefix under which libturbojpeg and its header are installed, which decodes JPEG files. */
export function turbojpegRoot(host: Host): string | undefined {
  const prefixes = ["/usr", "/usr/local", "/opt/homebrew", "/opt/libjpeg-turbo"];
  return prefixes
    .map((prefix) => systemPath(host, prefix))
    .find((prefix) => existsSync(join(prefix, "include", "turbojpeg.h")));
}

function firstUsable(
  attempts: readonly (() => LibtorchBuild | string)[],
  otherwise: string,
): LibtorchBuild | string {
  const reasons: string[] = [];
  for (const attempt of attempts) {
    const result = attempt();
    if (typeof result !== "string") return result;
    reasons.push(result);
  }
  return reasons.length > 0 ? reasons.join("; ") : otherwise;
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
