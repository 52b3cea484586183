import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { ThawError } from "../errors.ts";

/**
 * Writes a file so that a reader sees the old content or the whole new one, whatever happens: temp file in the same
 * folder, fsync, rename, fsync of the folder. On failure the temp file is gone and the old file as it was.
 * @throws ThawError with the sizes where the disk is full; `intact` says what the user still has.
 */
export function writeDurably(
  path: string,
  content: string | Iterable<Uint8Array>,
  options: { readonly intact?: string } = {},
): void {
  const folder = dirname(path);
  const temp = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  const chunks = typeof content === "string" ? [Buffer.from(content)] : [...content];
  try {
    const fd = openSync(temp, "w");
    try {
      for (const chunk of chunks) writeFully(fd, chunk);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temp, path);
    syncFolder(folder);
  } catch (cause) {
    removeQuietly(temp);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    throw writeError(path, cause, { bytes, ...options });
  }
}

/** Appends one line; with `sync` it is on the disk when this returns. @throws ThawError where it cannot be written. */
export function appendLine(path: string, line: string, options: { readonly sync: boolean }): void {
  const bytes = Buffer.from(`${line}\n`);
  try {
    const fd = openSync(path, "a");
    try {
      writeFully(fd, bytes);
      if (options.sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw writeError(path, cause, { bytes: bytes.length });
  }
}

/** Removes temp files that a killed process left in `folder`: on a full disk they are what stands in the way. */
export function removeStaleTemps(folder: string): void {
  for (const file of readdirSync(folder)) {
    if (/^\..+\.\d+\.tmp$/.test(file)) removeQuietly(join(folder, file));
  }
}

/** A rename or a new name is durable only once its folder is. */
export function syncFolder(folder: string): void {
  // Windows opens no folders, and its renames are journaled.
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeFully(fd: number, bytes: Uint8Array): void {
  // A single write moves at most 2 GiB, and fewer bytes than asked near the end of a disk.
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, Math.min(bytes.length - done, 1 << 30));
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The first error is the one to report.
  }
}

function writeError(
  path: string,
  cause: unknown,
  { bytes, intact }: { readonly bytes: number; readonly intact?: string },
): ThawError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const kept = intact === undefined ? "" : ` ${intact}`;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const what = code === "ENOSPC" ? "the disk is full" : "the disk quota is used up";
    return new ThawError(`${path}: ${what}: ${bytes} bytes to write${freeSpace(path)}.${kept}`, {
      hint: "Free some space or choose another folder with --out, then go on with --resume.",
      cause,
    });
  }
  return new ThawError(`${path}: cannot be written: ${message}.${kept}`, { cause });
}

function freeSpace(path: string): string {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return `, ${bavail * bsize} free`;
  } catch {
    return "";
  }
}
