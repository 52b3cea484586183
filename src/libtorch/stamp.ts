import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../platform/durable.ts";
import type { Addon } from "./compile.ts";
import { nativeDigest } from "./compile.ts";
import { type LibtorchBuild, libraryFile } from "./inspect.ts";
import type { ProbeReport } from "./probe.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The remembered result of set-up: with it a start spawns nothing and hashes only our few sources. */
export interface Stamp {
  readonly addon: Addon;
  readonly libtorch: LibtorchBuild;
  /** The library files as they were when the probe succeeded. */
  readonly files: readonly FileMark[];
  readonly probe: ProbeReport;
  /** What was found before `libtorch` and could not be used. */
  readonly passedOver: readonly PassedOver[];
}

/** A libtorch that was found, but does not compile or load here. */
export interface PassedOver {
  /** The step of the chain that found it. */
  readonly step: string;
  readonly libDir: string;
  /** One line: what failed, and what to do about it. */
  readonly reason: string;
}

interface FileMark {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

// Another choice of these may find another libtorch: each combination has a stamp of its own.
const CHOICES = ["THAW_LIBTORCH", "LIBTORCH", "VIRTUAL_ENV", "CONDA_PREFIX"] as const;

function stampFile(cache: string, nativeDir: string, env: Environment): string {
  const id = createHash("sha256")
    .update(JSON.stringify([nativeDigest(nativeDir), process.platform, process.arch]))
    .update(JSON.stringify(CHOICES.map((name) => env[name] || null)))
    .digest("hex")
    .slice(0, 16);
  return join(cache, "addon", `ready-${id}.json`);
}

/** The stamp for these sources and choices if all it speaks of is still as it was. */
export function readStamp(cache: string, nativeDir: string, env: Environment): Stamp | undefined {
  let stamp: Stamp;
  try {
    stamp = JSON.parse(readFileSync(stampFile(cache, nativeDir, env), "utf8"));
  } catch {
    return undefined;
  }
  const unchanged = stamp.files.every((file) => {
    const now = mark(file.path);
    return now?.size === file.size && now.mtimeMs === file.mtimeMs;
  });
  return unchanged ? stamp : undefined;
}

export function writeStamp(
  cache: string,
  nativeDir: string,
  env: Environment,
  result: Omit<Stamp, "files">,
): Stamp {
  const libraries = ["torch_cpu", "c10", ...(result.addon.cuda ? ["torch_cuda"] : [])];
  const paths = [
    result.addon.file,
    ...libraries.map((name) => join(result.libtorch.libDir, libraryFile(name, process.platform))),
  ];
  const stamp: Stamp = { ...result, files: paths.map(mark).filter((file) => file !== undefined) };
  const file = stampFile(cache, nativeDir, env);
  mkdirSync(join(cache, "addon"), { recursive: true });
  writeDurably(file, JSON.stringify(stamp, null, 2), {
    elsewhere: "choose another cache folder with THAW_HOME",
  });
  return stamp;
}

function mark(path: string): FileMark | undefined {
  try {
    const { size, mtimeMs } = statSync(path);
    return { path, size, mtimeMs };
  } catch {
    return undefined;
  }
}
