import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ThawError } from "../../errors.ts";

/** A single `read` on Linux moves at most 2 GiB. */
const READ_CHUNK = 1 << 30;

/** A file open for reading at any position. */
export interface OpenFile {
  readonly path: string;
  readonly fd: number;
  /** Bytes. */
  readonly size: number;
}

/** Opens a file while `use` runs. @throws ThawError where there is none, or it is no plain file. */
export function withFile<T>(path: string, use: (file: OpenFile) => T): T {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    throw new ThawError(`${path}: cannot be opened: ${(cause as Error).message}`, { cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new ThawError(`${path}: not a file`);
    return use({ path, fd, size: stat.size });
  } finally {
    closeSync(fd);
  }
}

/**
 * A copy of `length` bytes from `position` on, in a buffer of its own. A copy and not a map of the file: tensors are
 * views of it, and a mapped file that another program cuts short would end the process by a signal.
 * @throws ThawError where the file ends before, or memory does not suffice.
 */
export function readBytes({ path, fd, size }: OpenFile, position: number, length: number) {
  if (position + length > size) throw ended(path, size);
  const bytes = allocate(length, path);
  let done = 0;
  while (done < length) {
    const got = readSync(fd, bytes, done, Math.min(READ_CHUNK, length - done), position + done);
    if (got === 0) throw ended(path, position + done);
    done += got;
  }
  return bytes;
}

function allocate(bytes: number, path: string): Uint8Array<ArrayBuffer> {
  try {
    // Not filled with zeros first, which would touch every page twice; large ones are never pooled.
    if (bytes >= Buffer.poolSize) return fullView(Buffer.allocUnsafeSlow(bytes));
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new ThawError(`${path}: its ${bytes} bytes do not fit in memory`, { cause });
  }
}

function fullView({ buffer, byteOffset, length }: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
}

function ended(path: string, at: number): ThawError {
  return new ThawError(`${path}: ends at byte ${at}, before what it announces`, {
    hint: "The file is truncated; fetch or write it again.",
  });
}
