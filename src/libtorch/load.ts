import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { ThawError } from "../errors.ts";
import { settleAmx } from "./amx.ts";
import { cpuInfo } from "./cpu.ts";
import { cacheHome, packageRoot } from "./home.ts";
import type { AmxState, Native } from "./native.ts";
import type { MeasuredKernels } from "./probe.ts";
import { readStamp } from "./stamp.ts";
import { applyThreadEnvironment } from "./threads.ts";

let loaded: Native | undefined;
let amx: AmxState = "absent";
let kernels: MeasuredKernels = {};

/**
 * The addon, loaded on the first call. Set-up must have been done: nothing is compiled, downloaded or
 * spawned here, so that a start costs a few milliseconds beside libtorch's own loading.
 * @throws ThawError if set-up has not been done, or what it made has changed since.
 */
export function loadNative(): Native {
  loaded ??= load();
  return loaded;
}

function load(): Native {
  const root = packageRoot();
  const stamp = readStamp(cacheHome(), join(root, "native"), process.env);
  if (stamp === undefined) {
    throw new ThawError(
      "the engine is not set up: no compiled addon for this libtorch and these sources",
      {
        hint: "run `npm run setup` in a checkout of Thaw, or `npx thaw setup` where it is installed",
      },
    );
  }
  applyThreadEnvironment(cpuInfo());
  // Windows looks for the libraries an addon needs on the PATH only.
  if (process.platform === "win32") {
    process.env["PATH"] = `${stamp.libtorch.libDir};${process.env["PATH"] ?? ""}`;
  }
  const addon: { exports: unknown } = { exports: {} };
  const file = addonFile(stamp.addon.file);
  try {
    process.dlopen(addon, file);
  } catch (cause) {
    throw new ThawError(`cannot load ${file}: ${(cause as Error).message}`, {
      hint: "run `thaw setup --force`; `thaw doctor` shows the whole chain",
      cause,
    });
  }
  const native = addon.exports as Native;
  amx = settleAmx(native);
  kernels = stamp.probe.kernels;
  return native;
}

/** Handles are one table's: a worker takes the file that the main thread has, even if set-up has made another since. */
function addonFile(current: string): string {
  if (!isMainThread) return process.env[LOADED] ?? current;
  process.env[LOADED] = current;
  return current;
}

const LOADED = "THAW_ADDON_LOADED";

/** What set-up measured of kernels that both the addon and libtorch have; loads the addon. */
export function measuredKernels(): MeasuredKernels {
  loadNative();
  return kernels;
}

/** What became of the CPU's AMX; loads the addon. In a worker nothing is settled: the main thread did. */
export function amxState(): AmxState {
  loadNative();
  return amx;
}
