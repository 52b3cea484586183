import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { ThawError } from "../../errors.ts";
import { withLock } from "../../libtorch/lock.ts";
import { adviceFor, reasonOf } from "../../platform/system-error.ts";
import { removeAbandoned, temporaryPath } from "../../platform/temporary.ts";
import { fileSha256 } from "../datasets/unpack.ts";
import { archiveEntries, packing } from "../formats/archive.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { zipEntries } from "../formats/zip.ts";
import { isHidden, someOf } from "./names.ts";
import { JOURNAL } from "./unfinished.ts";

export interface Extracted {
  readonly folder: string;
  readonly notes: readonly string[];
}

/** Hidden, so that it is no part of the data. */
const NOTES_FILE = ".thaw-notes.json";

/**
 * Unpacks a .zip, .tar, .tar.gz or .tar.xz into Thaw's cache, under the archive's sha256, once: a
 * second call finds the folder. Nothing has its final name before all of it is there.
 * @throws DamagedFileError for a damaged archive, a bomb, a name twice or one that leads outside; ThawError for an archive
 * of an unfinished folder.
 */
export async function extractArchive(
  archive: string,
  cacheFolder: string,
  options: { sha256?: string; onBytes?: (unpacked: number) => void } = {},
): Promise<Extracted> {
  const sha256 = options.sha256 ?? (await fileSha256(archive));
  const parent = join(cacheFolder, "extracted");
  const folder = join(parent, sha256);
  const cached = readExtracted(folder);
  if (cached) return cached;
  try {
    await mkdir(parent, { recursive: true });
    return await withLock(join(parent, `${sha256}.lock`), async () => {
      const others = readExtracted(folder);
      if (others) return others;
      // Whoever holds the lock is the only one that writes such folders.
      removeAbandoned(parent, { of: folder, isLocked: true });
      const temporary = temporaryPath(folder);
      try {
        const notes = await unpackInto(archive, temporary, options.onBytes);
        await writeFile(join(temporary, NOTES_FILE), JSON.stringify(notes));
        await rename(temporary, folder);
        return { folder, notes };
      } finally {
        rmSync(temporary, { recursive: true, force: true });
      }
    });
  } catch (cause) {
    if (cause instanceof ThawError) throw cause;
    throw new ThawError(`${archive}: cannot be unpacked into ${parent}: ${reasonOf(cause)}`, {
      hint: adviceFor(cause, { elsewhere: "choose another cache folder with THAW_HOME" }),
      cause,
    });
  }
}

async function unpackInto(
  archive: string,
  folder: string,
  onBytes?: (unpacked: number) => void,
): Promise<string[]> {
  const links: string[] = [];
  const seen = new Set<string>();
  const entries = (await packing(archive)) === "zip" ? zipEntries : archiveEntries;
  await mkdir(folder, { recursive: true });
  for await (const { path, bytes } of entries(archive, {
    wanted(path) {
      if (posix.basename(path) === JOURNAL) throw unfinished(archive);
      return !path.split("/").some(isHidden);
    },
    onSkipped: (path) => links.push(path),
    ...(onBytes && { onBytes }),
  })) {
    const name = path
      .split("/")
      .filter((part) => part !== "" && part !== ".")
      .join("/");
    if (seen.has(name)) throw new DamagedFileError(`${archive}: holds ${name} twice`);
    seen.add(name);
    const target = join(folder, name);
    try {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, bytes, { flag: "wx" });
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== "EEXIST" && code !== "ENOTDIR" && code !== "ENAMETOOLONG") throw cause;
      const why =
        code === "ENAMETOOLONG" ? "the name is too long" : "it is file and folder at once";
      throw new DamagedFileError(`${archive}: ${name} cannot be unpacked: ${why}`, { cause });
    }
  }
  if (seen.size === 0) throw new DamagedFileError(`${archive}: holds no files`);
  const notes: string[] = [];
  if (links.length > 0) {
    notes.push(`links and devices in the archive are not unpacked: ${someOf(links)}`);
  }
  return notes;
}

function unfinished(archive: string): ThawError {
  return new ThawError(
    `${archive}: was packed from a folder that \`thaw data prepare\` had not finished: images are missing`,
    { hint: "let that `thaw data prepare` finish, then pack the folder again" },
  );
}

function readExtracted(folder: string): Extracted | undefined {
  const file = join(folder, NOTES_FILE);
  if (!existsSync(file)) return undefined;
  return { folder, notes: JSON.parse(readFileSync(file, "utf8")) as string[] };
}
