import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ThawError } from "../errors.ts";
import { isDiskFailure, writeError } from "../platform/system-error.ts";
import { removeAbandoned, temporaryPath } from "../platform/temporary.ts";
import type { Host, Log, RunResult } from "./host.ts";
import type { LibtorchBuild } from "./inspect.ts";
import { describeBuild, openblasOpenmpDir, turbojpegRoot } from "./locate.ts";
import { withLock } from "./lock.ts";

/** A compiled addon in the cache. */
export interface Addon {
  readonly file: string;
  /** Digest of all that decides what was compiled: sources, libtorch, compiler, platform. */
  readonly key: string;
  /** CUDA's libraries are linked. */
  readonly cuda: boolean;
}

export interface CompileOptions {
  readonly host: Host;
  readonly cache: string;
  readonly libtorch: LibtorchBuild;
  /** Link libtorch's CUDA libraries; only for a CUDA build. */
  readonly cuda: boolean;
  /** The folder with CMakeLists.txt and the sources. */
  readonly nativeDir: string;
  readonly log: Log;
}

const NODE_API = 8;
const elsewhere = "choose another cache folder with THAW_HOME";

/** The addon does not compile against a libtorch: another one may do. */
export class CompileFailure extends ThawError {
  /** The compiler's first error, in one line. */
  readonly reason: string;

  constructor(message: string, options: { hint: string; reason: string }) {
    super(message, options);
    this.reason = options.reason;
  }
}

/**
 * The addon for this libtorch: from the cache, else compiled and put there atomically.
 * @throws CompileFailure with the compiler's errors and the place of the whole log.
 * @throws ThawError where the fault is not this libtorch's: no CMake, no space on the disk.
 */
export async function compileAddon(options: CompileOptions): Promise<Addon> {
  const settings = cmakeSettings(options);
  const packages = packageSettings();
  const key = createHash("sha256")
    .update(
      JSON.stringify({
        sources: nativeDigest(options.nativeDir),
        libtorch: options.libtorch,
        settings,
        nodeApi: NODE_API,
        headers: [packageVersion("node-addon-api"), packageVersion("node-api-headers")],
        compiler: await compilerVersion(options.host),
        platform: `${options.host.platform}-${options.host.arch}`,
      }),
    )
    .digest("hex")
    .slice(0, 16);
  const folder = join(options.cache, "addon", key);
  const addon: Addon = { file: join(folder, "thaw.node"), key, cuda: options.cuda };
  if (existsSync(addon.file)) return addon;
  return withLock(
    `${folder}.lock`,
    async () => {
      if (!existsSync(addon.file)) await build(options, { ...settings, ...packages }, addon);
      return addon;
    },
    { onWait: (holder) => options.log(`waiting for ${holder}, which compiles the addon`) },
  );
}

/** Digest of the addon's sources: 1 ms for some ten small files. */
export function nativeDigest(nativeDir: string): string {
  const hash = createHash("sha256");
  const names = readdirSync(nativeDir).filter((name) => /\.(cc|h)$|^CMakeLists\.txt$/.test(name));
  for (const name of names.sort()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(nativeDir, name)))
      .update("\0");
  }
  return hash.digest("hex");
}

function cmakeSettings(options: CompileOptions): Record<string, string> {
  const { libtorch, host } = options;
  // libtorch_cpu asks for libblas.so.3 by name where it comes from the distribution only.
  const openblas = libtorch.source === "system" ? openblasOpenmpDir(host) : undefined;
  return {
    CMAKE_BUILD_TYPE: "Release",
    THAW_INCLUDE_DIRS: libtorch.includeDirs.join(";"),
    THAW_LIB_DIR: libtorch.libDir,
    THAW_CXX_STANDARD: String(libtorch.cxxStandard),
    THAW_CXX11_ABI: { cxx11: "1", "pre-cxx11": "0", "libc++": "", msvc: "" }[libtorch.abi],
    THAW_CUDA: options.cuda ? "ON" : "OFF",
    THAW_TURBOJPEG_ROOT: turbojpegRoot(host) ?? "",
    THAW_RUNTIME_DIRS: [...(openblas ? [openblas] : []), libtorch.libDir].join(";"),
  };
}

/** Apart from the others: their versions are in the key, their place is not, so that clones share. */
function packageSettings(): Record<string, string> {
  const nodeApi = packageFolder("node-api-headers");
  return {
    THAW_NODE_API_INCLUDE: join(nodeApi, "include"),
    THAW_NODE_API_DEF: join(nodeApi, "def", "node_api.def"),
    THAW_NODE_ADDON_API: packageFolder("node-addon-api"),
  };
}

const require = createRequire(import.meta.url);

function packageFolder(name: string): string {
  return dirname(require.resolve(`${name}/package.json`));
}

function packageVersion(name: string): string {
  return JSON.parse(readFileSync(join(packageFolder(name), "package.json"), "utf8")).version;
}

async function compilerVersion(host: Host): Promise<string> {
  const [command = "c++", ...args] = (host.env["CXX"] || defaultCompiler(host)).split(" ");
  const result = await host.run(command, host.platform === "win32" ? args : [...args, "--version"]);
  return result.stdout.split("\n")[0] ?? "";
}

export function defaultCompiler(host: Host): string {
  return host.platform === "win32" ? "cl" : "c++";
}

async function build(
  options: CompileOptions,
  settings: Record<string, string>,
  addon: Addon,
): Promise<void> {
  const started = Date.now();
  const folder = dirname(addon.file);
  removeAbandoned(dirname(folder));
  const buildDir = temporaryPath(folder);
  options.log(`compiling the addon against libtorch ${options.libtorch.version} (about a minute)`);
  try {
    mkdirSync(buildDir, { recursive: true });
    const configure = ["-S", options.nativeDir, "-B", buildDir];
    if (!process.env["CMAKE_GENERATOR"] && (await usesNinja(options.host))) {
      configure.push("-G", "Ninja");
    }
    for (const [name, value] of Object.entries(settings)) configure.push(`-D${name}=${value}`);
    const compiler = options.host.env["CXX"];
    const jobs = options.host.env["CMAKE_BUILD_PARALLEL_LEVEL"] ?? String(availableParallelism());
    const steps = [configure, ["--build", buildDir, "--config", "Release", "--parallel", jobs]];
    let output = "";
    for (const args of steps) {
      const result = await options.host.run("cmake", args, {
        timeoutMs: 1_800_000,
        ...(compiler && { env: { CXX: compiler } }),
      });
      output += `$ cmake ${args.join(" ")}\n${result.stdout}${result.stderr}\n`;
      if (result.code !== 0) throw compileError(options, result, output, `${folder}.log`);
    }
    const made = ["thaw.node", "Release/thaw.node"]
      .map((name) => join(buildDir, name))
      .find((file) => existsSync(file));
    if (made === undefined) throw compileError(options, undefined, output, `${folder}.log`);
    // Another process with the same key may have been first only if it broke the lock: its file is as good.
    mkdirSync(folder, { recursive: true });
    renameSync(made, addon.file);
    options.log(`compiled in ${((Date.now() - started) / 1000).toFixed(0)} s`);
  } catch (error) {
    throw isDiskFailure(error) ? writeError(folder, error, { elsewhere }) : error;
  } finally {
    rmSync(buildDir, { recursive: true, force: true });
  }
}

async function usesNinja(host: Host): Promise<boolean> {
  if (host.platform === "win32") return false;
  if (!(await host.run("make", ["--version"])).missing) return false;
  return !(await host.run("ninja", ["--version"])).missing;
}

function compileError(
  options: CompileOptions,
  result: RunResult | undefined,
  output: string,
  logFile: string,
): ThawError {
  if (result?.missing) return new ThawError("there is no cmake", { hint: "install CMake" });
  const said = /No space left on device|Disk quota exceeded/.exec(output)?.[0];
  const full = [dirname(logFile), tmpdir()].find(isFull);
  if (said !== undefined || full !== undefined) {
    const place = full ?? dirname(logFile);
    return new ThawError(`the addon did not compile: ${place}: no space left on the device`, {
      hint: `free some space there, or ${elsewhere}`,
    });
  }
  const libtorch = describeBuild(options.libtorch);
  const why = result?.timedOut ? "took longer than 30 minutes" : "did not compile";
  const reason = result?.timedOut ? why : firstError(output);
  writeFileSync(logFile, output);
  const advice = compileAdvice(options, output);
  return new CompileFailure(
    `the addon ${why} against libtorch ${libtorch}:\n${interestingLines(output)}`,
    { hint: `${advice === undefined ? "" : `${advice}; `}the whole log is in ${logFile}`, reason },
  );
}

/** Less than any object file needs; CMake does not always say that a write failed. */
function isFull(folder: string): boolean {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < 1 << 20;
}

/** What to do about a compile error, where the log says it plainly. */
function compileAdvice({ host, libtorch }: CompileOptions, output: string): string | undefined {
  const standard = /C\+\+(\d\d) or later|requires the language dialect "?CXX(\d\d)/.exec(output);
  if (standard) {
    return `libtorch ${libtorch.version} needs a compiler for C++${standard[1] ?? standard[2]} (g++ 11, clang 14 or newer): install one and name it in CXX (CXX=g++-12 npx thaw setup)`;
  }
  const header = /fatal error: (\S+): No such file or directory/.exec(output)?.[1];
  if (header !== undefined) {
    return `${header} is missing: install this libtorch again, as a whole`;
  }
  if (/Killed|out of memory|cannot allocate memory/i.test(output)) {
    return "the compiler was killed, most likely for lack of memory: set CMAKE_BUILD_PARALLEL_LEVEL=1 and try again";
  }
  if (/undefined reference|cannot find -l/.test(output)) {
    return `the libraries in ${libtorch.libDir} do not belong to these headers, or were built with another compiler than ${host.env["CXX"] || defaultCompiler(host)}`;
  }
  return undefined;
}

/** The first line of a build log that is an error itself, not a consequence of one. */
function firstError(output: string): string {
  const lines = output.split("\n");
  const at = lines.findIndex((line) =>
    /(^|\s)(fatal )?error:|CMake Error|undefined reference|cannot find -l|Killed/.test(line),
  );
  if (at < 0) return lines.findLast((line) => line.trim() !== "")?.trim() ?? "no output";
  const line = lines[at]!.trim();
  // CMake says where on this line, and what on the next.
  return /^CMake Error/.test(line) ? `${line} ${lines[at + 1]?.trim() ?? ""}`.trim() : line;
}

/** The lines of a build log that say what is wrong, with the source lines under them; else its end. */
export function interestingLines(output: string, limit = 24): string {
  const lines = output.split("\n");
  const chosen = new Set<number>();
  lines.forEach((line, i) => {
    if (/\berror\b|CMake Error|undefined reference|cannot find -l|fatal:|Killed/i.test(line)) {
      for (let j = i; j <= Math.min(i + 2, lines.length - 1); j++) chosen.add(j);
    }
  });
  const picked = [...chosen].sort((a, b) => a - b).slice(0, limit);
  if (picked.length === 0) return lines.slice(-limit).join("\n").trim();
  return picked.map((i) => lines[i]).join("\n");
}
