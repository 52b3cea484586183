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

/**
 * Runs `body` while holding a lock file, so that of several processes one works and the others
 * wait for it. A dead holder's lock is taken over.
 * @throws ThawError after `waitMs` of waiting, and where the lock file cannot be written.
 */
export async function withLock<T>(
  file: string,
  body: () => Promise<T>,
  options: { waitMs?: number; onWait?: (holder: string) => void } = {},
): Promise<T> {
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (cause) {
    throw unwritable(file, cause);
  }
  const deadline = Date.now() + (options.waitMs ?? 900_000);
  let told = false;
  while (!tryLock(file)) {
    const holder = readHolder(file);
    if (holder !== undefined && isStale(file, holder)) {
      takeAway(file, holder);
      continue;
    }
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
  return `process ${process.pid} on ${hostname()}`;
}

function tryLock(file: string): boolean {
  try {
    const descriptor = openSync(file, "wx");
    writeSync(descriptor, me());
    closeSync(descriptor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw unwritable(file, error);
  }
}

function unwritable(file: string, cause: unknown): ThawError {
  return new ThawError(`${file} cannot be written: ${(cause as Error).message}`, {
    hint: "choose another cache folder: THAW_HOME, or HF_HOME for files of the hub",
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
  const match = /^process (\d+) on (.*)$/.exec(holder);
  if (match?.[2] === hostname()) return !isAlive(Number(match[1]));
  try {
    return Date.now() - statSync(file).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
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
