import { statfsSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import { ThawError } from "../errors.ts";

/** What a command knows of a file that it writes. */
export interface WriteContext {
  /** How many bytes were to be written. */
  readonly bytes?: number | undefined;
  /** What the user still has, as a sentence. */
  readonly intact?: string | undefined;
  /** How another place is chosen: `choose another folder with --out`. */
  readonly elsewhere?: string | undefined;
  /** Its path in messages, where it gets another name once it is whole. */
  readonly shownAs?: string | undefined;
  /** What to do where there is no room; default to free some, or to go elsewhere. */
  readonly ifFull?: string | undefined;
}

interface Failure {
  /** Why, after "cannot be written:". */
  readonly why: string;
  /** What helps; `elsewhere` in place of {elsewhere}. */
  readonly advice: string;
}

const network: Failure = {
  why: "the network file system does not respond",
  advice: "mount it again, or {elsewhere}",
};

const failures: Readonly<Record<string, Failure>> = {
  EROFS: { why: "the file system is read-only", advice: "{elsewhere}" },
  EACCES: {
    why: "permission denied",
    advice: "give this user write permission there, or {elsewhere}",
  },
  EPERM: {
    why: "the operation is not permitted",
    advice: "give this user write permission there, or {elsewhere}",
  },
  EIO: {
    why: "the disk reports an input/output error",
    advice: "the disk may be failing (the system's log says more): {elsewhere}",
  },
  EFBIG: {
    why: "the file is larger than the file system or `ulimit -f` allows",
    advice: "{elsewhere}",
  },
  ENAMETOOLONG: {
    why: "the name is too long for the file system",
    advice: "choose a shorter name",
  },
  EMFILE: { why: "too many files are open", advice: "raise the limit: ulimit -n 4096" },
  ENFILE: { why: "too many files are open on this machine", advice: "end other programs" },
  ENOENT: { why: "it, or a folder on the way to it, does not exist", advice: "{elsewhere}" },
  ENOTDIR: { why: "a part of the path is a file, not a folder", advice: "{elsewhere}" },
  EEXIST: { why: "something else of this name is there", advice: "move it away, or {elsewhere}" },
  EISDIR: { why: "it is a folder", advice: "{elsewhere}" },
  EBUSY: { why: "another program is using it", advice: "end that program, or {elsewhere}" },
  ESTALE: network,
  ETIMEDOUT: network,
  EHOSTDOWN: network,
  ENODEV: { why: "the device is gone", advice: "{elsewhere}" },
  ENXIO: { why: "the device is gone", advice: "{elsewhere}" },
};

/**
 * `EDQUOT`, `ESTALE` and others have no name in Node: it says `UNKNOWN` or `Unknown system error -122`, with the system's
 * number.
 */
export function errorCode(cause: unknown): string | undefined {
  const { code, errno } = (cause ?? {}) as NodeJS.ErrnoException;
  if (typeof code !== "string") return undefined;
  if (Object.hasOwn(constants.errno, code) || typeof errno !== "number") return code;
  const named = Object.entries(constants.errno).find(([, number]) => number === -errno);
  return named?.[0] ?? code;
}

/** Is there no room left, on the disk or in a quota? */
export function isFull(cause: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(errorCode(cause) ?? "");
}

/** Is it the disk that fails, and not a network or a program? */
export function isDiskFailure(cause: unknown): boolean {
  return isFull(cause) || ["EIO", "EROFS", "EFBIG", "ESTALE"].includes(errorCode(cause) ?? "");
}

/** Why a file operation failed, in words: `the disk is full`. */
export function reasonOf(cause: unknown): string {
  const code = errorCode(cause);
  if (code === "ENOSPC") return "the disk is full";
  if (code === "EDQUOT") return "the disk quota is used up";
  return known(code)?.why ?? (cause as Error).message;
}

/** What to do about a file operation that failed. */
export function adviceFor(
  cause: unknown,
  { elsewhere = "choose another folder", ifFull }: WriteContext = {},
): string {
  if (isFull(cause)) return ifFull ?? `free some space, or ${elsewhere}`;
  const advice = known(errorCode(cause))?.advice ?? "{elsewhere}";
  return advice.replace("{elsewhere}", elsewhere);
}

/** The error for a file or folder that could not be written: which one, why, and what to do. */
export function writeError(path: string, cause: unknown, context: WriteContext = {}): ThawError {
  const { bytes, intact, shownAs = path } = context;
  const hint = adviceFor(cause, context);
  if (!isFull(cause)) {
    const kept = intact === undefined ? "" : `. ${intact}`;
    return new ThawError(`${shownAs}: cannot be written: ${reasonOf(cause)}${kept}`, {
      hint,
      cause,
    });
  }
  const kept = intact === undefined ? "" : ` ${intact}`;
  const free = freeSpace(path);
  const room =
    bytes === undefined
      ? free && ` (${free})`
      : `: ${bytes} bytes to write${free && `, ${free.replace(" bytes", "")}`}`;
  return new ThawError(`${shownAs}: ${reasonOf(cause)}${room}.${kept}`, { hint, cause });
}

/** The same for an error that may be another's: one of ours, or no file operation's, stays as it is. */
export function explained(path: string, cause: unknown, context: WriteContext = {}): unknown {
  const isOther = cause instanceof ThawError || errorCode(cause) === undefined;
  return isOther ? cause : writeError(path, cause, context);
}

/** Undefined for what is no failed file operation; else the error that says what, why and what to do. */
export function fileError(error: unknown): ThawError | undefined {
  if (!(error instanceof Error) || error instanceof ThawError) return undefined;
  const { path, dest, syscall } = error as NodeJS.ErrnoException & { dest?: string };
  const code = errorCode(error);
  const isKnown = isFull(error) || known(code) !== undefined;
  // An operation on an open file does not say which one it was.
  if (syscall === undefined || !isKnown || (path === undefined && !isDiskFailure(error))) {
    return undefined;
  }
  const where = dest ?? path;
  const what = where === undefined ? `a file cannot be written` : where;
  const why = code === "ENOENT" ? "there is no such file or folder" : reasonOf(error);
  const hint = code === "ENOENT" ? "check the path" : adviceFor(error);
  return new ThawError(`${what}: ${why} (${syscall})`, { hint, cause: error });
}

function known(code: string | undefined): Failure | undefined {
  return code !== undefined && Object.hasOwn(failures, code) ? failures[code] : undefined;
}

function freeSpace(path: string): string {
  try {
    const { bavail, bsize, ffree, files } = statfsSync(dirname(path));
    // A disk with millions of small files runs out of names before it runs out of bytes.
    const names = files > 0 && ffree === 0 ? ", but no room for another file name" : "";
    return `${bavail * bsize} bytes free${names}`;
  } catch {
    return "";
  }
}
