import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type WriteContext, writeError } from "./system-error.ts";
import { removeAbandoned, removeQuietly, temporaryPath } from "./temporary.ts";

/**
 * Writes a file so that a reader sees the old content or the whole new one, whatever happens: temporary file in the same
 * folder, fsync, rename, fsync of the folder. On failure the temporary file is gone and the old file as it was. What killed
 * processes left in the folder is cleared on the way.
 * @throws ThawError that says which file, why and what to do.
 */
export function writeDurably(
  path: string,
  content: string | Iterable<Uint8Array>,
  context: WriteContext = {},
): void {
  const folder = dirname(path);
  removeAbandoned(folder);
  const temporary = temporaryPath(path);
  const chunks = typeof content === "string" ? [Buffer.from(content)] : [...content];
  try {
    const fd = openSync(temporary, "wx");
    try {
      for (const chunk of chunks) writeFully(fd, chunk);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncFolder(folder);
  } catch (cause) {
    removeQuietly(temporary);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    throw writeError(path, cause, { bytes, ...context });
  }
}

/**
 * The same for content that comes bit by bit; the folder is made.
 * @throws what the system or `parts` throws; ThawError where the folder cannot be made.
 */
export async function writeWhole(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const folder = dirname(path);
  makeFolder(folder);
  removeAbandoned(folder);
  const temporary = temporaryPath(path);
  try {
    const file = await open(temporary, "wx");
    try {
      for await (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** Appends one line; with `sync` it is on the disk when this returns. @throws ThawError where it cannot be written. */
export function appendLine(
  path: string,
  line: string,
  { sync, ...context }: { readonly sync: boolean } & WriteContext,
): void {
  const bytes = Buffer.from(`${line}\n`);
  try {
    const fd = openSync(path, "a");
    try {
      writeFully(fd, bytes);
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw writeError(path, cause, { bytes: bytes.length, ...context });
  }
}

/** Makes a folder and those above it. @throws ThawError that says which one cannot be made, why and what to do. */
export function makeFolder(folder: string, context: WriteContext = {}): void {
  if (isFolder(folder)) return;
  const parent = dirname(folder);
  // One by one: Node's own `recursive` says ENOENT on a read-only file system.
  if (parent !== folder) makeFolder(parent, context);
  try {
    mkdirSync(folder);
  } catch (cause) {
    // Another process may have been quicker.
    if (!isFolder(folder)) throw writeError(folder, cause, context);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
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
