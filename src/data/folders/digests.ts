import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ThawError } from "../../errors.ts";
import { writeWhole } from "../../platform/durable.ts";
import { throwIfStopped } from "../../platform/stop.ts";
import type { FileImageSet } from "../fileset.ts";
import { inParallel } from "./decode-files.ts";

/** Fewer are hashed faster than anyone would notice. */
const WORTH_KEEPING = 200;
/** More are not kept: the file would be read for longer than it saves. */
const MOST_KEPT = 2_000_000;

/** Path → [state of the file when it was hashed, sha256 in hex]. */
type Kept = Record<string, readonly [string, string]>;

/**
 * sha256 of each file's bytes, in hex. It is kept in Thaw's cache under the file's size, times and inode, so that a file is
 * read again only after a change. What a manifest says of a file is not taken for it: the file may have changed since.
 * @throws ThawError that names a file that cannot be read; StoppedError where the signal was aborted.
 */
export async function contentDigests(
  sets: readonly Pick<FileImageSet, "files">[],
  cache: string,
  signal?: AbortSignal,
): Promise<string[][]> {
  const total = sets.reduce((sum, { files }) => sum + files.length, 0);
  const path = join(cache, "digests", `${keyOf(sets)}.json`);
  const kept = total < WORTH_KEEPING ? (Object.create(null) as Kept) : readKept(path);
  let isNew = false;
  const digests = sets.map(({ files }) => new Array<string>(files.length));
  for (const [s, { files }] of sets.entries()) {
    await inParallel(files.length, async (i) => {
      throwIfStopped(signal);
      const file = files[i]!;
      const state = stateOf(file);
      const before = kept[file];
      if (before !== undefined && before[0] === state) {
        digests[s]![i] = before[1];
        return;
      }
      const digest = await hashFile(file);
      digests[s]![i] = digest;
      kept[file] = [state, digest];
      isNew = true;
    });
  }
  if (isNew && total >= WORTH_KEEPING && Object.keys(kept).length <= MOST_KEPT) {
    try {
      await writeWhole(path, [Buffer.from(JSON.stringify(kept))]);
    } catch {
      // Without the cache only the next start is slower.
    }
  }
  return digests;
}

async function hashFile(file: string): Promise<string> {
  const bytes = await readFile(file).catch((cause: Error) => {
    throw unreadable(file, cause);
  });
  return createHash("sha256").update(bytes).digest("hex");
}

/** The change time cannot be set by a program, as a modification time can. */
function stateOf(file: string): string {
  try {
    const { size, mtimeNs, ctimeNs, ino } = statSync(file, { bigint: true });
    return `${size}:${mtimeNs}:${ctimeNs}:${ino}`;
  } catch (cause) {
    throw unreadable(file, cause as Error);
  }
}

function unreadable(file: string, cause: Error): ThawError {
  const isGone = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return new ThawError(
    `${file}: cannot be read: ${isGone ? "it no longer exists" : cause.message}`,
    {
      hint: "open the data again: its images have changed since",
      cause,
    },
  );
}

/** One file of digests for each folder of data: that of the first image's class. */
function keyOf(sets: readonly Pick<FileImageSet, "files">[]): string {
  const first = sets.find(({ files }) => files.length > 0)?.files[0] ?? "";
  return createHash("sha256").update(join(first, "../..")).digest("hex");
}

function readKept(path: string): Kept {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    const isKept = (entry: unknown) =>
      Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === "string");
    if (typeof value === "object" && value !== null && Object.values(value).every(isKept)) {
      return Object.assign(Object.create(null), value) as Kept;
    }
  } catch {
    // None yet, or damaged: the files are hashed again.
  }
  return Object.create(null) as Kept;
}
