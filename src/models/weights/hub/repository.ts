import { existsSync } from "node:fs";
import type { ThawError } from "../../../errors.ts";
import { withLock } from "../../../libtorch/lock.ts";
import { isCommit, RepoCache } from "./cache.ts";
import { hubFileInfo } from "./client.ts";
import { type BlobOptions, downloadBlob, sizeOf } from "./download-blob.ts";
import { HubRefusedError, HubUnavailableError, NoSuchFileError, otherWays } from "./errors.ts";

/** A download may take this long before those who wait for it give up. */
const WAIT_MS = 6 * 3_600_000;

/** A repository of the hub at one revision. The first file asked for settles the commit of all. */
export class HubRepository {
  readonly repo: string;
  readonly revision: string;
  /** For people: what was found out on the way. */
  readonly notes: string[] = [];
  readonly #options: BlobOptions;
  readonly #cache: RepoCache;
  #commit: string | undefined;
  #cachedOnly: boolean;
  #failure: ThawError | undefined;

  constructor(repo: string, revision: string, options: BlobOptions) {
    this.repo = repo;
    this.revision = revision;
    this.#options = options;
    this.#cache = new RepoCache(options.settings.cache, repo);
    this.#cachedOnly = options.settings.offline;
    if (isCommit(revision)) this.#commit = revision;
  }

  /** Known once a file was asked for. */
  get commit(): string | undefined {
    return this.#commit;
  }

  /** Why files that are not cached cannot be fetched; undefined while the hub answers. */
  get failure(): ThawError | undefined {
    return this.#failure;
  }

  /**
   * The path of a file in the cache, fetched first where it is not there; undefined if the repository has no such file.
   * `maxBytes`: one that is larger is passed over.
   * @throws ThawError
   */
  async file(file: string, maxBytes = Number.POSITIVE_INFINITY): Promise<string | undefined> {
    if (this.#commit !== undefined) {
      const known = this.#cache.find(this.#commit, file);
      if (known !== undefined) return known === "absent" ? undefined : known;
    }
    if (this.#cachedOnly) return this.#cached(file);
    try {
      return await this.#fetched(file, maxBytes);
    } catch (error) {
      if (error instanceof NoSuchFileError) {
        await this.#rememberAbsent(file, error.commit);
        return undefined;
      }
      if (!(error instanceof HubUnavailableError || error instanceof HubRefusedError)) throw error;
      if (this.#cachedCommit() === undefined) throw error;
      this.#cachedOnly = true;
      this.#failure = error;
      this.notes.push(`${error.message}; using what is cached`);
      return this.#cached(file);
    }
  }

  #cachedCommit(): string | undefined {
    return this.#commit ?? this.#cache.commitOf(this.revision);
  }

  /** Undefined also where only another file of the snapshot is cached: `failure` then says why it is not fetched. */
  #cached(file: string): string | undefined {
    this.#commit = this.#cachedCommit();
    this.#failure ??= this.#notCached(file);
    if (this.#commit === undefined) throw this.#failure;
    const found = this.#cache.find(this.#commit, file);
    return found === "absent" ? undefined : found;
  }

  async #fetched(file: string, maxBytes: number): Promise<string | undefined> {
    const revision = this.#commit ?? this.revision;
    const info = await hubFileInfo({ repo: this.repo, revision, file }, this.#options);
    const { commit, etag, size } = info;
    if (size > maxBytes) {
      this.#commit = commit;
      this.notes.push(`${file} of ${this.repo} has ${size} bytes and was not fetched`);
      return undefined;
    }
    const pointer = this.#cache.pointer(commit, file);
    const blob = this.#cache.blob(etag);
    // A copy that a full disk cut short does not count.
    if ((await sizeOf(pointer)) !== size) {
      await withLock(
        this.#cache.lock(etag),
        async () => {
          if ((await sizeOf(blob)) === size) return;
          // The commit, not the branch: it may have moved since.
          const name = { repo: this.repo, revision: commit, file };
          await downloadBlob(blob, name, info, this.#options);
        },
        { waitMs: WAIT_MS },
      );
      await this.#cache.link(etag, commit, file);
    }
    // Not before: what a branch was at stays in use until the new is there.
    this.#commit = commit;
    await this.#cache.saveRef(this.revision, commit);
    return pointer;
  }

  async #rememberAbsent(file: string, commit: string | undefined): Promise<void> {
    if (commit === undefined || !isCommit(commit)) return;
    this.#commit = commit;
    await this.#cache.saveRef(this.revision, commit);
    await this.#cache.saveAbsent(commit, file);
  }

  #notCached(file: string): ThawError {
    const { cache } = this.#options.settings;
    const what = existsSync(this.#cache.folder)
      ? `${file} of ${this.repo}@${this.revision} is`
      : `${this.repo} is`;
    return new HubUnavailableError(`${what} not in ${cache}, and the hub is not asked: offline`, {
      hint: `run it once without --offline and HF_HUB_OFFLINE; or ${otherWays}`,
    });
  }
}
