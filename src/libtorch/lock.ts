import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ThawError } from "../errors.ts";

const HEARTBEAT_MS = 5_000;
/** No heartbeat for so long and the holder counts as dead: it may be on another machine. */
const STALE_MS = 60_000;

export interface LockOptions {
  readonly waitMs?: number;
  /** Told once, where there is something to wait for. */
  readonly onWait?: (holder: string) => void;
  /** The error where the lock stays held. With it a holder that lives on this machine is not waited for. */
  readonly refuse?: (holder: string) => ThawError;
  /** What to do where the lock file cannot be written. */
  readonly hint?: string;
}

/**
 * Runs `body` while holding a lock file, so that of several processes one works and the others
 * wait for it. A dead holder's lock is taken over.
 * @throws ThawError after `waitMs` of waiting, and where the lock file cannot be written.
 */
export async function withLock<T>(
  file: string,
  body: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (cause) {
    throw unwritable(file, cause, options.hint);
  }
  const deadline = Date.now() + (options.waitMs ?? 900_000);
  let told = false;
  while (!tryLock(file, options.hint)) {
    const holder = readHolder(file);
    if (holder !== undefined && isStale(file, holder)) {
      takeAway(file, holder);
      continue;
    }
    const { refuse } = options;
    if (refuse && holder && (isHere(holder) || Date.now() > deadline)) throw refuse(holder);
    if (Date.now() > deadline) {
      throw new ThawError(`${file} is still held by ${holder ?? "another process"}`, {
        hint: "wait for the other process to end, or delete that file if none is running",
      });
    }
    if (!told && holder !== undefined) {
      told = true;
      options.onWait?.(holder);
    }
    await sleep(100);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      // Deleted by hand: the work goes on, its result is put in place atomically anyway.
    }
  }, HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await body();
  } finally {
    clearInterval(heartbeat);
    if (readHolder(file) === me()) rmSync(file, { force: true });
  }
}

function me(): string {
  const started = startOf(process.pid);
  const since = started === undefined ? "" : ` (start ${started})`;
  return `process ${process.pid}${since} on ${hostname()}`;
}

/** When a process began, in ticks since boot, where the system tells: a container gives the same ids again and again. */
function startOf(pid: number): string | undefined {
  try {
    // The name, in parentheses, may hold anything; the start is the 20th word after it.
    return /.*\)(?: \S+){19} (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

function tryLock(file: string, hint: string | undefined): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(file, "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw unwritable(file, error, hint);
  }
  try {
    writeSync(descriptor, me());
    return true;
  } catch (error) {
    rmSync(file, { force: true });
    throw unwritable(file, error, hint);
  } finally {
    closeSync(descriptor);
  }
}

function unwritable(file: string, cause: unknown, hint?: string): ThawError {
  return new ThawError(`${file} cannot be written: ${(cause as Error).message}`, {
    hint: hint ?? "choose another cache folder: THAW_HOME, or HF_HOME for files of the hub",
    cause,
  });
}

function readHolder(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function isStale(file: string, holder: string): boolean {
  if (isHere(holder)) {
    const [, pid, start] = /^process (\d+)(?: \(start (\d+)\))?/.exec(holder) ?? [];
    const now = startOf(Number(pid));
    return !isAlive(Number(pid)) || (start !== undefined && now !== undefined && start !== now);
  }
  try {
    return Date.now() - statSync(file).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
}

function isHere(holder: string): boolean {
  return holder.endsWith(` on ${hostname()}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Renamed first: of two that see the same dead holder, only one moves that very file away. */
function takeAway(file: string, holder: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  // In between another may have taken over: its fresh lock is put back.
  if (readHolder(aside) !== holder) {
    renameSync(aside, file);
    return;
  }
  rmSync(aside, { force: true });
}
