import { join } from "node:path";
import { printable } from "../platform/printable.ts";
import { aptInstall, whyNoApt } from "./apt.ts";
import { type Addon, compileAddon } from "./compile.ts";
import { cpuInfo } from "./cpu.ts";
import { cacheHome, packageRoot } from "./home.ts";
import { type Host, type Log, thisHost } from "./host.ts";
import type { LibtorchBuild } from "./inspect.ts";
import { ensureBuildTools, locateOrInstall } from "./install.ts";
import { loadNative } from "./load.ts";
import { openblasOpenmpDir, turbojpegRoot } from "./locate.ts";
import { withLock } from "./lock.ts";
import type { Native } from "./native.ts";
import { ProbeFailure, type ProbeReport, probeAddon } from "./probe.ts";
import { readStamp, type Stamp, writeStamp } from "./stamp.ts";
import { threadEnvironment } from "./threads.ts";

export interface PrepareOptions {
  readonly log?: Log;
  /** Look for libtorch, compile if need be and probe again, whatever is remembered. */
  readonly force?: boolean;
  readonly host?: Host;
  readonly cache?: string;
  readonly nativeDir?: string;
}

/**
 * Everything up to a loadable addon: find or install libtorch, compile, probe, remember. Returns at
 * once when all that is done already.
 * @throws ThawError saying which step failed and what to do.
 */
export async function prepareNative(options: PrepareOptions = {}): Promise<Stamp> {
  const host = options.host ?? thisHost();
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
      const { libtorch } = await locateOrInstall(host, cache, log);
      await ensureBuildTools(host, log);
      if (libtorch!.source === "system") await ensureFastBlas(host, log);
      await ensureTurbojpeg(host, log);
      const result = await compileAndProbe({ host, cache, libtorch: libtorch!, nativeDir, log });
      return writeStamp(cache, nativeDir, host.env, { ...result, libtorch: libtorch! });
    },
    { onWait: (holder) => log(`waiting for ${holder}, which sets up the engine`) },
  );
}

/** {@link prepareNative}, then {@link loadNative}: for every command that computes. */
export async function ensureNative(options: Pick<PrepareOptions, "log"> = {}): Promise<Native> {
  await prepareNative(options);
  return loadNative();
}

interface Parts {
  readonly host: Host;
  readonly cache: string;
  readonly libtorch: LibtorchBuild;
  readonly nativeDir: string;
  readonly log: Log;
}

/** A CUDA build whose CUDA libraries are not all there still computes on the CPU. */
async function compileAndProbe(parts: Parts): Promise<{ addon: Addon; probe: ProbeReport }> {
  const { host, libtorch, log } = parts;
  const env = threadEnvironment(cpuInfo(), host.env);
  const attempt = async (cuda: boolean) => {
    const addon = await compileAddon({ ...parts, cuda });
    log(`trying libtorch ${libtorch.version} at ${libtorch.root} in a process of its own`);
    return { addon, probe: await probeAddon(addon.file, { env, libtorch: libtorch.version }) };
  };
  try {
    return await attempt(libtorch.cuda);
  } catch (error) {
    if (!(libtorch.cuda && error instanceof ProbeFailure && error.missingCuda)) throw error;
    log(`CUDA cannot be used, ${error.missingLibrary} is missing; going on without it`);
    return attempt(false);
  }
}

/** Debian's OpenBLAS comes with threads of its own, which fight OpenMP's: fp32 steps take 1.8× as long. */
async function ensureFastBlas(host: Host, log: Log): Promise<void> {
  if (openblasOpenmpDir(host) !== undefined) return;
  const failure = (await whyNoApt(host)) ?? (await aptInstall(host, ["libopenblas0-openmp"], log));
  if (failure !== undefined) log(`going on without the OpenMP build of OpenBLAS (${failure})`);
}

/** sharp decodes JPEG too, but takes four times as long. */
async function ensureTurbojpeg(host: Host, log: Log): Promise<void> {
  if (turbojpegRoot(host) !== undefined) return;
  const failure = (await whyNoApt(host)) ?? (await aptInstall(host, ["libturbojpeg0-dev"], log));
  if (failure !== undefined) log(`going on without libturbojpeg (${failure})`);
}
