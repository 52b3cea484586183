import { randomBytes } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type ProcessIdentity, stateOf, thisProcess } from "./process.ts";

/** Of another machine nobody can tell whether the owner still runs: after so long without a write it does not. */
const WRITE_MS = 24 * 3600 * 1000;
/** Between the two renames of a replacement a process stands for moments. */
const SWAP_MS = 60_000;
/** Names end at 255 bytes nearly everywhere; what is put around a name takes less than 55. */
const LONGEST = 200;

const NAME = /^\.(.*)\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.(tmp|old)$/s;

/**
 * A hidden name beside `target` for what is not whole yet. It tells who writes it, so that what a killed process left can be
 * told from what a running one is writing: {@link removeAbandoned} clears the former. `old` is for what a new version is
 * about to replace, and is not cleared.
 */
export function temporaryPath(target: string, kind: "tmp" | "old" = "tmp"): string {
  const { machine, pid, start } = thisProcess();
  const unique = randomBytes(4).toString("hex");
  const name = `.${shortened(basename(target))}.${machine}-${pid}-${start}-${unique}.${kind}`;
  return join(dirname(target), name);
}

export interface TemporaryName {
  /** Name of the file or folder that it was to become; the beginning of a very long one. */
  readonly of: string;
  readonly owner: ProcessIdentity;
  readonly kind: "tmp" | "old";
}

/** Undefined for any other name. */
export function parseTemporary(name: string): TemporaryName | undefined {
  const [, of, machine, pid, start, kind] = NAME.exec(name) ?? [];
  if (of === undefined) return undefined;
  const owner = { machine: machine!, pid: Number(pid), start: Number(start) };
  return { of, owner, kind: kind as TemporaryName["kind"] };
}

export function isTemporary(name: string): boolean {
  return parseTemporary(name) !== undefined;
}

/** Is it a temporary name of this target? */
export function isTemporaryOf(name: string, target: string): boolean {
  return parseTemporary(name)?.of === shortened(basename(target));
}

export interface Sweep {
  /** Only what was to become this file or folder. */
  readonly of?: string;
  /** The caller holds a lock under which alone such files are written: whoever left them, they are of no use. */
  readonly isLocked?: boolean;
}

/**
 * Removes temporary files and folders that a killed process left in `folder`; those of running processes stay, and those of
 * other machines until they were not written for a day. It fails in nothing: what cannot be removed stays.
 */
export function removeAbandoned(folder: string, { of, isLocked = false }: Sweep = {}): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const parsed = parseTemporary(name);
    if (parsed === undefined || parsed.kind !== "tmp") continue;
    if (of !== undefined && !isTemporaryOf(name, of)) continue;
    const path = join(folder, name);
    if (isLocked || isAbandoned(path, parsed)) removeQuietly(path);
  }
}

/** Did the owner end without removing it? */
export function isAbandoned(path: string, { owner, kind }: TemporaryName): boolean {
  const state = stateOf(owner);
  if (state !== "another machine") return state === "ended";
  const [since, silentMs] = kind === "old" ? [renamed(path), SWAP_MS] : [written(path), WRITE_MS];
  return since !== undefined && Date.now() - since > silentMs;
}

export function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Whoever comes next tries again.
  }
}

/** Of a folder also by what lies in it: its own time changes only with its entries. */
function written(path: string): number | undefined {
  try {
    const own = statSync(path);
    const inside = own.isDirectory() ? readdirSync(path) : [];
    return Math.max(own.mtimeMs, ...inside.map((name) => statSync(join(path, name)).mtimeMs));
  } catch {
    return undefined;
  }
}

function renamed(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ctimeMs;
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= LONGEST) return name;
  let kept = "";
  for (const character of name) {
    if (Buffer.byteLength(kept + character) > LONGEST) break;
    kept += character;
  }
  return kept;
}
