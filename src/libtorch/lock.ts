import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ThawError } from "../errors.ts";
import { makeFolder } from "../platform/durable.ts";
import { isRunning, startOf } from "../platform/process.ts";
import { type WriteContext, writeError } from "../platform/system-error.ts";
import { removeAbandoned, removeQuietly, temporaryPath } from "../platform/temporary.ts";

const HEARTBEAT_MS = 5_000;
/** No heartbeat for so long and the holder counts as dead: it may be on another machine. */
const STALE_MS = 60_000;

const CACHE: WriteContext = {
  elsewhere: "choose another cache folder: THAW_HOME, or HF_HOME for files of the hub",
};

export interface LockOptions {
  readonly waitMs?: number;
  /** Told once, where there is something to wait for. */
  readonly onWait?: (holder: string) => void;
  /** The error where the lock stays held. With it a holder that lives on this machine is not waited for. */
  readonly refuse?: (holder: string) => ThawError;
  /** How another place is chosen where the lock file cannot be written. */
  readonly place?: WriteContext;
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
  makeFolder(dirname(file), options.place ?? CACHE);
  const deadline = Date.now() + (options.waitMs ?? 900_000);
  let told = false;
  while (!tryLock(file, options.place ?? CACHE)) {
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
    // Where the disk fails, what the body says of it counts; a lock that stays is taken over.
    if (readHolder(file) === me()) removeQuietly(file);
  }
}

function me(): string {
  const started = startOf(process.pid);
  const since = started === undefined ? "" : ` (start ${started})`;
  return `process ${process.pid}${since} on ${hostname()}`;
}

function tryLock(file: string, place: WriteContext): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(file, "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw writeError(file, error, place);
  }
  try {
    writeSync(descriptor, me());
    return true;
  } catch (error) {
    removeQuietly(file);
    throw writeError(file, error, place);
  } finally {
    closeSync(descriptor);
  }
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
    return !isRunning(Number(pid), start === undefined ? undefined : Number(start));
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

/** Renamed first: of two that see the same dead holder, only one moves that very file away. */
function takeAway(file: string, holder: string): void {
  removeAbandoned(dirname(file), { of: file });
  const aside = temporaryPath(file);
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
  removeQuietly(aside);
}
