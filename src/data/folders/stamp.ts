import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { ThawError } from "../../errors.ts";

const hint = "run `thaw data prepare` on the folder again, or put the file back";

/** `stat:<bytes>:<modified, in whole milliseconds>`: tells a changed file without reading it. */
export function statStamp(path: string): string {
  try {
    const { size, mtimeMs } = statSync(path);
    return `stat:${size}:${Math.floor(mtimeMs)}`;
  } catch (cause) {
    throw new ThawError(`${path}: ${vanished(cause)}`, { hint, cause });
  }
}

export function sha256Stamp(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/**
 * Holds a file that was read for decoding against the stamp it had when it was listed.
 * @throws ThawError that names it and says what is different.
 */
export function checkStamp(path: string, bytes: Uint8Array, stamp: string): void {
  const fail = (what: string) => {
    throw new ThawError(`${path}: ${what}`, { hint });
  };
  if (stamp.startsWith("sha256:")) {
    if (sha256Stamp(bytes) !== stamp) fail("its content has changed since it was listed");
    return;
  }
  const [, size] = stamp.split(":");
  if (bytes.length !== Number(size)) {
    fail(`has ${bytes.length} bytes, had ${size} when it was listed`);
  }
  if (statStamp(path) !== stamp) fail("was written again since it was listed");
}

/** What of a stamp belongs to the content: a copy of the file has another time. */
export function stampedContent(stamp: string): string {
  return stamp.startsWith("stat:") ? stamp.split(":")[1]! : stamp;
}

function vanished(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === "ENOENT" ? "is not there any more" : message;
}
