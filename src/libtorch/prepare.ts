import { join } from "node:path";
import { printable } from "../platform/printable.ts";
import { aptInstall, whyNoApt } from "./apt.ts";
import { type Addon, compileAddon } from "./compile.ts";
import { cpuInfo } from "./cpu.ts";
import { missingExtras } from "./extras.ts";
import { cacheHome, packageRoot } from "./home.ts";
import { type Host, type Log, thisHost } from "./host.ts";
import type { LibtorchBuild } from "./inspect.ts";
import { ensureBuildTools, LIBTORCH_PACKAGES, missingBuildTools } from "./install.ts";
import { loadNative } from "./load.ts";
import { describeBuild, locateLibtorch, openblasOpenmpDir, turbojpegRoot } from "./locate.ts";
import { withLock } from "./lock.ts";
import type { Native } from "./native.ts";
import { ProbeFailure, type ProbeReport, probeAddon } from "./probe.ts";
import { findUsable } from "./search.ts";
import { readStamp, type Stamp, writeStamp } from "./stamp.ts";
import { threadEnvironment } from "./threads.ts";

export interface PrepareOptions {
  readonly log?: Log;
  /** Look for libtorch, compile if need be and probe again, whatever is remembered. */
  readonly force?: boolean;
  /** false: nothing is installed or downloaded; what is missing is an error that names it. */
  readonly install?: boolean;
  readonly host?: Host;
  readonly cache?: string;
  readonly nativeDir?: string;
}

/**
 * Everything up to a loadable addon: find or install libtorch, compile, probe, remember. Returns at
 * once when all that is done already. A libtorch that does not compile or load is passed over, unless
 * it was chosen by THAW_LIBTORCH or LIBTORCH.
 * @throws ThawError saying which step failed and what to do.
 */
export async function prepareNative(options: PrepareOptions = {}): Promise<Stamp> {
  const given = options.host ?? thisHost();
  const host: Host =
    options.install === false ? { ...given, mayInstall: async () => "install: false" } : given;
  const cache = options.cache ?? cacheHome(host.env, host.home);
  const nativeDir = options.nativeDir ?? join(packageRoot(), "native");
  const log = options.log ?? ((line) => process.stderr.write(`thaw: ${printable(line)}\n`));
  const known = options.force ? undefined : readStamp(cache, nativeDir, host.env);
  if (known !== undefined) return known;
  return withLock(
    join(cache, "addon", "setup.lock"),
    async () => {
      const meanwhile = options.force ? undefined : readStamp(cache, nativeDir, host.env);
      if (meanwhile !== undefined) return meanwhile;
      const parts = { host, cache, nativeDir, log };
      const { result, ...found } = await findUsable(parts, (libtorch) => attempt(parts, libtorch));
      return writeStamp(cache, nativeDir, host.env, { ...found, ...result });
    },
    { onWait: (holder) => log(`waiting for ${holder}, which sets up the engine`) },
  );
}

/**
 * {@link prepareNative}, then {@link loadNative}: for every command that computes.
 * @throws ThawError where something is missing and `install: false` or THAW_NO_INSTALL forbids to install it.
 */
export async function ensureNative(
  options: Pick<PrepareOptions, "log" | "install" | "host"> = {},
): Promise<Native> {
  await prepareNative(options);
  return loadNative();
}

/** The packages of the system that a set-up would install on this machine. */
export async function missingPackages(host: Host, cache: string): Promise<readonly string[]> {
  if ((await whyNoApt(host)) !== undefined) return [];
  const { libtorch } = await locateLibtorch(host, cache);
  return [
    ...(await missingBuildTools(host)),
    ...(libtorch === undefined ? LIBTORCH_PACKAGES : []),
    ...(libtorch?.source === "system" ? missingBlas(host) : []),
    ...missingTurbojpeg(host),
    ...missingExtras(host),
  ];
}

interface Parts {
  readonly host: Host;
  readonly cache: string;
  readonly nativeDir: string;
  readonly log: Log;
}

/** Compiles and loads. A CUDA build whose CUDA libraries are not all there still computes on the CPU. */
async function attempt(
  parts: Parts,
  libtorch: LibtorchBuild,
): Promise<{ addon: Addon; probe: ProbeReport }> {
  const { host, log } = parts;
  await ensureBuildTools(host, log);
  if (libtorch.source === "system") await ensureFastBlas(host, log);
  await ensureTurbojpeg(host, log);
  const env = threadEnvironment(cpuInfo(), host.env);
  const compileAndProbe = async (cuda: boolean) => {
    const addon = await compileAddon({ ...parts, libtorch, cuda });
    log(`trying libtorch ${describeBuild(libtorch)} in a process of its own`);
    return { addon, probe: await probeAddon(addon.file, { env, libtorch: libtorch.version }) };
  };
  try {
    return await compileAndProbe(libtorch.cuda);
  } catch (error) {
    if (!(libtorch.cuda && error instanceof ProbeFailure && error.missingCuda)) throw error;
    log(`CUDA cannot be used, ${error.missingLibrary} is missing; going on without it`);
    return compileAndProbe(false);
  }
}

function missingBlas(host: Host): readonly string[] {
  return openblasOpenmpDir(host) === undefined ? ["libopenblas0-openmp"] : [];
}

/** Debian's OpenBLAS comes with threads of its own, which fight OpenMP's: fp32 steps take 1.8× as long. */
async function ensureFastBlas(host: Host, log: Log): Promise<void> {
  const missing = missingBlas(host);
  if (missing.length === 0) return;
  const failure = await aptInstall(host, missing, log);
  if (failure !== undefined) log(`going on without the OpenMP build of OpenBLAS (${failure})`);
}

function missingTurbojpeg(host: Host): readonly string[] {
  return turbojpegRoot(host) === undefined ? ["libturbojpeg0-dev"] : [];
}

/** sharp decodes JPEG too, but takes four times as long. */
async function ensureTurbojpeg(host: Host, log: Log): Promise<void> {
  const missing = missingTurbojpeg(host);
  if (missing.length === 0) return;
  const failure = await aptInstall(host, missing, log);
  if (failure !== undefined) log(`going on without libturbojpeg (${failure})`);
}
