import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
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

/** A place that was looked at: the libtorch there, or why it has none that can be used. */
export type Candidate =
  | { readonly step: string; readonly explicit: boolean; readonly libtorch: LibtorchBuild }
  | { readonly step: string; readonly explicit: boolean; readonly reason: string };

/**
 * Looks for libtorch: THAW_LIBTORCH, LIBTORCH, Thaw's cache, torch of the active environment, torch
 * of python3, the system. Places are looked at only as far as the caller iterates.
 * @throws ThawError if an explicit choice cannot be used: falling through would hide the mistake.
 */
export async function* candidates(host: Host, cache: string): AsyncGenerator<Candidate> {
  for (const { step, explicit = false, look } of CHAIN) {
    for (const found of await look(host, cache)) {
      if (typeof found !== "string") {
        yield { step, explicit, libtorch: found };
        continue;
      }
      if (explicit && host.env[step]) throw refusedChoice(host, step, found);
      yield { step, explicit, reason: found };
    }
  }
}

/** The error of a variable that names a libtorch which cannot be used. */
export function refusedChoice(host: Host, step: string, reason: string): ThawError {
  return new ThawError(`${step}=${host.env[step]} has no libtorch that can be used: ${reason}`, {
    hint: `point ${step} at a folder that holds include/ and lib/ (an unpacked libtorch, or torch in a Python's site-packages), or unset it`,
  });
}

/**
 * The first libtorch that looks as if it can be used, and what was looked at before it. Whether it
 * compiles and loads is not tried.
 * @throws ThawError as {@link candidates}
 */
export async function locateLibtorch(host: Host, cache: string): Promise<Located> {
  const steps: LocateStep[] = [];
  for await (const candidate of candidates(host, cache)) {
    steps.push(asStep(candidate));
    if ("libtorch" in candidate) return { libtorch: candidate.libtorch, steps };
  }
  return { libtorch: undefined, steps };
}

export function asStep(candidate: Candidate): LocateStep {
  const { step } = candidate;
  if ("reason" in candidate) return { step, found: false, outcome: candidate.reason };
  return { step, found: true, outcome: describeBuild(candidate.libtorch) };
}

/** Version and place, for people. */
export function describeBuild({ version, root }: LibtorchBuild): string {
  return `${version} at ${root}`;
}

/** What a link of the chain finds: each libtorch, or the reason against it. Never empty. */
type Found = readonly (LibtorchBuild | string)[];

interface Link {
  readonly step: string;
  readonly explicit?: true;
  look(host: Host, cache: string): Promise<Found> | Found;
}

const CHAIN: readonly Link[] = [
  { step: "THAW_LIBTORCH", explicit: true, look: (host) => fromVariable(host, "THAW_LIBTORCH") },
  { step: "LIBTORCH", explicit: true, look: (host) => fromVariable(host, "LIBTORCH") },
  { step: "Thaw's cache", look: fromCache },
  { step: "active Python environment", look: fromActiveEnvironment },
  { step: "python3", look: fromPython },
  { step: "system", look: fromSystem },
];

function fromVariable(host: Host, name: string): Found {
  const folder = host.env[name];
  return [folder ? inspectPrefix(host, folder, name) : "not set"];
}

/** Newest first, so that a later `thaw setup` of a newer version is what counts. */
function fromCache(host: Host, cache: string): Found {
  const folder = join(cache, "libtorch");
  const versions = list(folder)
    .filter((name) => /^\d/.test(name))
    .sort((a, b) => compareVersions(b, a));
  return orElse(
    versions.map((name) => inspectPrefix(host, join(folder, name), "Thaw's cache")),
    `nothing in ${folder}`,
  );
}

function fromActiveEnvironment(host: Host): Found {
  const prefixes = ["VIRTUAL_ENV", "CONDA_PREFIX"].flatMap((name) => host.env[name] || []);
  if (prefixes.length === 0) {
    return ["none is active (VIRTUAL_ENV and CONDA_PREFIX are not set)"];
  }
  const places = prefixes
    .flatMap((prefix) => sitePackages(host, prefix))
    .map((site) => join(site, "torch"))
    .filter((place) => existsSync(place));
  return orElse(
    places.map((place) => inspectPrefix(host, place, "active Python environment")),
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

async function fromPython(host: Host): Promise<Found> {
  const python = host.platform === "win32" ? "python" : "python3";
  const result = await host.run(python, ["-c", FIND_TORCH], { timeoutMs: 10_000 });
  if (result.missing) return [`no ${python} on the PATH`];
  if (result.timedOut) return [`${python} gave no answer within 10 s`];
  if (result.code !== 0) return [`${python} failed: ${lastLine(result.stderr)}`];
  const folder = result.stdout.trim();
  if (folder === "") return [`${python} has no torch`];
  const library = join(folder, "lib", libraryFile("torch_cpu", host.platform));
  if (!existsSync(library) || isSystemLibrary(host, library)) {
    return [`torch at ${folder} is the distribution's: its libraries are the system's (next step)`];
  }
  return [inspectPrefix(host, folder, python)];
}

function isSystemLibrary(host: Host, library: string): boolean {
  const folder = join(realpathSync(library), "..");
  return systemLibDirs(host).includes(folder);
}

function fromSystem(host: Host): Found {
  if (host.platform === "win32") return ["Windows has no place for system libraries"];
  const prefixes =
    host.platform === "darwin"
      ? ["/opt/homebrew/opt/pytorch", "/opt/homebrew", "/usr/local"]
      : ["/usr", "/usr/local"];
  const found = prefixes.map((prefix) => inspectPrefix(host, systemPath(host, prefix), "system"));
  const usable = found.filter((result) => typeof result !== "string");
  return usable.length > 0 ? usable : [found.join("; ")];
}

/** A folder with include/ and lib/, lib64/ or a multiarch lib/; or one that holds such a folder. */
function inspectPrefix(host: Host, prefix: string, source: string): LibtorchBuild | string {
  const place = statSync(prefix, { throwIfNoEntry: false });
  if (place === undefined) return `${prefix} does not exist`;
  if (!place.isDirectory()) return `${prefix} is a file, not a folder`;
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
        arch: host.arch,
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

function orElse(found: Found, otherwise: string): Found {
  return found.length > 0 ? found : [otherwise];
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
