import { constants, existsSync, readFileSync } from "node:fs";
import { copyFile, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { syncFolder } from "../../../platform/durable.ts";
import { removeAbandoned, temporaryPath } from "../../../platform/temporary.ts";

/**
 * A repository's folder in the Hugging Face cache, laid out as huggingface_hub lays it out, so that each finds what the
 * other has downloaded:
 *
 *     models--owner--name/refs/main                  the commit that `main` was at
 *                         snapshots/<commit>/<file>  → ../../blobs/<etag>
 *                         blobs/<etag>               <etag>.incomplete while it comes
 *                         .no_exist/<commit>/<file>  asked for, and not there
 */
export class RepoCache {
  readonly folder: string;
  readonly #locks: string;

  constructor(cache: string, repo: string) {
    const name = `models--${repo.replaceAll("/", "--")}`;
    this.folder = join(cache, name);
    this.#locks = join(cache, ".locks", name);
  }

  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  pointer(commit: string, file: string): string {
    return join(this.folder, "snapshots", commit, file);
  }

  /** Not the name of huggingface_hub's lock, which is of another kind. */
  lock(etag: string): string {
    return join(this.#locks, `${etag}.thaw.lock`);
  }

  /** The commit that a branch or tag was at when it was last asked for; a commit is itself. */
  commitOf(revision: string): string | undefined {
    if (isCommit(revision)) return revision;
    try {
      const text = readFileSync(join(this.folder, "refs", revision), "utf8").trim();
      return isCommit(text) ? text : undefined;
    } catch {
      return undefined;
    }
  }

  /** The path of a file that is there, `"absent"` if the repository is known not to have it, else undefined. */
  find(commit: string, file: string): string | "absent" | undefined {
    const pointer = this.pointer(commit, file);
    if (existsSync(pointer)) return pointer;
    return existsSync(join(this.folder, ".no_exist", commit, file)) ? "absent" : undefined;
  }

  async saveRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || this.commitOf(revision) === commit) return;
    await this.#note(join(this.folder, "refs", revision), commit);
  }

  async saveAbsent(commit: string, file: string): Promise<void> {
    await this.#note(join(this.folder, ".no_exist", commit, file), "");
  }

  /** Puts a blob under its file's name: by a relative link, or by a copy where the file system has no links. */
  async link(etag: string, commit: string, file: string, makeLink = symlink): Promise<string> {
    const pointer = this.pointer(commit, file);
    const folder = dirname(pointer);
    await mkdir(folder, { recursive: true });
    removeAbandoned(folder);
    const temporary = temporaryPath(pointer);
    try {
      try {
        await makeLink(relative(folder, this.blob(etag)), temporary);
      } catch (cause) {
        if (!isLinkRefusal(cause)) throw cause;
        await copyFile(this.blob(etag), temporary, constants.COPYFILE_FICLONE);
      }
      await rename(temporary, pointer);
      syncFolder(folder);
    } finally {
      await rm(temporary, { force: true });
    }
    return pointer;
  }

  /** A cache that cannot be written is still good to read: what is only remembered is then let go. */
  async #note(path: string, text: string): Promise<void> {
    const temporary = temporaryPath(path);
    try {
      await mkdir(dirname(path), { recursive: true });
      removeAbandoned(dirname(path));
      await writeFile(temporary, text);
      await rename(temporary, path);
    } catch {
      await rm(temporary, { force: true }).catch(() => {});
    }
  }
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

function isLinkRefusal(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "UNKNOWN"].includes(code ?? "");
}
