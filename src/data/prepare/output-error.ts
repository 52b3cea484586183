import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { ThawError } from "../../errors.ts";

/** Says why nothing can be written at a place, and, of a full disk, what to do and what becomes of the work so far. */
export function outputError(
  path: string,
  cause: unknown,
  ifFull = "make room and run it again: it goes on from there; or choose another --out",
): unknown {
  if (cause instanceof ThawError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new ThawError(`${path}: the disk is full${freeSpace(path)}`, {
      hint: ifFull,
      cause,
    });
  }
  if (code === undefined) return cause;
  const why = code === "EROFS" ? "the file system is read-only" : message;
  return new ThawError(`${path}: cannot be written: ${why}`, {
    hint: "choose another folder with --out",
    cause,
  });
}

function freeSpace(path: string): string {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return ` (${bavail * bsize} bytes free)`;
  } catch {
    return "";
  }
}
