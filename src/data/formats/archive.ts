import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import { ThawError } from "../../errors.ts";
import { DamagedFileError } from "./damaged.ts";

/** What an archive may cost before it is taken for a bomb. */
export interface ArchiveLimits {
  /** Of all entries together, wanted or not. */
  readonly maxTotalBytes: number;
  readonly maxEntryBytes: number;
  readonly maxEntries: number;
  /** Unpacked bytes over the archive's own; small archives (under 16 MiB unpacked) are let off. */
  readonly maxRatio: number;
}

export const defaultArchiveLimits: ArchiveLimits = {
  maxTotalBytes: 16 * 2 ** 30,
  maxEntryBytes: 256 * 2 ** 20,
  maxEntries: 2_000_000,
  maxRatio: 200,
};

export interface ArchiveOptions {
  /** Which regular files to yield, by their path with forward slashes and without a leading "./". */
  readonly wanted: (path: string) => boolean;
  readonly limits?: Partial<ArchiveLimits>;
  /** Told of entries that are passed over because they are links, devices or pipes. */
  readonly onSkipped?: (path: string, reason: string) => void;
  /** Told, now and then, how many unpacked bytes have been read. */
  readonly onBytes?: (unpacked: number) => void;
}

export interface ArchiveEntry {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const RATIO_FREE_BYTES = 16 * 2 ** 20;
const XZ_MEMORY = "512MiB";

/**
 * Yields the wanted regular files of a .tar, .tar.gz or .tar.xz, whole and in the archive's order;
 * the packing is told by the first bytes, not the name. Nothing is written to disk. Links and
 * devices are never followed; a path that leads outside the archive, a file over a limit and any
 * damage end it with a `DamagedFileError`. .xz goes through the system's `xz`, because JavaScript's
 * ports lack its delta filter.
 */
export async function* archiveEntries(
  path: string,
  options: ArchiveOptions,
): AsyncGenerator<ArchiveEntry> {
  const limits = { ...defaultArchiveLimits, ...options.limits };
  const reader = new TarReader(path, limits, options);
  const most = bombLimit(limits, (await stat(path)).size);
  let unpacked = 0;
  for await (const chunk of unpackedChunks(path)) {
    unpacked += chunk.length;
    if (unpacked > most) {
      throw new DamagedFileError(`${path}: unpacks to more than ${most} bytes: refused as a bomb`);
    }
    options.onBytes?.(unpacked);
    yield* reader.push(chunk);
  }
  yield* reader.end();
}

/** The most that an archive of so many bytes may unpack to. */
export function bombLimit(limits: ArchiveLimits, archiveBytes: number): number {
  return Math.min(limits.maxTotalBytes, Math.max(RATIO_FREE_BYTES, limits.maxRatio * archiveBytes));
}

/** The archive's bytes after decompression. Ends the child process or stream when left early. */
async function* unpackedChunks(path: string): AsyncGenerator<Buffer> {
  switch (await packing(path)) {
    case "xz":
      yield* xzChunks(path);
      return;
    case "gzip": {
      const file = createReadStream(path, { highWaterMark: 1 << 19 });
      const gunzip = createGunzip({ chunkSize: 1 << 18 });
      file.on("error", (error) => gunzip.destroy(error));
      try {
        yield* file.pipe(gunzip);
      } catch (cause) {
        throw new DamagedFileError(`${path}: damaged gzip data (${(cause as Error).message})`, {
          cause,
        });
      } finally {
        file.destroy();
        gunzip.destroy();
      }
      return;
    }
    default:
      yield* createReadStream(path, { highWaterMark: 1 << 19 });
  }
}

/** How a file is packed, by its first bytes. */
export async function packing(path: string): Promise<"xz" | "gzip" | "zip" | "none"> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(6), 0, 6, 0);
    if (buffer.equals(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]))) return "xz";
    // A local file's header, or the end of an empty archive.
    if (["504b0304", "504b0506"].includes(buffer.toString("hex", 0, 4))) return "zip";
    return buffer[0] === 0x1f && buffer[1] === 0x8b ? "gzip" : "none";
  } finally {
    await file.close();
  }
}

async function* xzChunks(path: string): AsyncGenerator<Buffer> {
  const child = spawn("xz", ["-dc", `--memlimit-decompress=${XZ_MEMORY}`, "--", path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (text: Buffer) => {
    if (complaint.length < 1000) complaint += text.toString();
  });
  const ended = new Promise<number | string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? signal ?? "ended"));
  });
  // Waited for below; a failure to start may come before that.
  ended.catch(() => {});
  try {
    yield* child.stdout;
    const code = await ended;
    if (code !== 0) {
      const reason = complaint.trim().replace(/^xz: /, "") || `xz ended with ${code}`;
      throw new DamagedFileError(`${path}: damaged xz data (${reason})`);
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new ThawError(`${path}: the program xz, which unpacks it, is not installed`, {
      hint: "install it: apt-get install xz-utils (Debian, Ubuntu) or brew install xz (macOS)",
      cause,
    });
  } finally {
    child.kill();
  }
}

/** npm's tar parser, held to our limits, as a function from chunks to whole files. */
class TarReader {
  readonly #path: string;
  readonly #parser: Parser;
  #failure: Error | undefined;
  #finished: ArchiveEntry[] = [];
  #entries = 0;
  /** The first bytes, until they are enough to be judged. */
  #head: Buffer | undefined = Buffer.alloc(0);
  #sawEnd = false;

  constructor(path: string, limits: ArchiveLimits, options: ArchiveOptions) {
    this.#path = path;
    this.#parser = new Parser({ strict: true, zstd: false });
    this.#parser.on("error", (error: Error) => this.#fail(error.message, error));
    this.#parser.on("eof", () => {
      this.#sawEnd = true;
    });
    this.#parser.on("entry", (entry: ReadEntry) => this.#onEntry(entry, limits, options));
    this.#parser.on("ignoredEntry", () => {
      if (++this.#entries > limits.maxEntries) this.#fail(`more than ${limits.maxEntries} entries`);
    });
  }

  #fail(reason: string, cause?: Error): void {
    this.#failure ??= new DamagedFileError(`${this.#path}: ${reason}`, cause ? { cause } : {});
  }

  #onEntry(entry: ReadEntry, limits: ArchiveLimits, options: ArchiveOptions): void {
    const raw = entry.path;
    const path = raw.replace(/^(\.\/+)+/, "");
    if (++this.#entries > limits.maxEntries) {
      this.#fail(`more than ${limits.maxEntries} entries`);
    }
    if (leadsOutside(raw)) {
      this.#fail(`holds the path ${JSON.stringify(raw)}, which leads outside the archive`);
    }
    const regular = ["File", "OldFile", "ContiguousFile"].includes(entry.type);
    if (this.#failure || !regular || !options.wanted(path)) {
      if (!regular && entry.type !== "Directory") {
        options.onSkipped?.(path, `not a regular file (${entry.type})`);
      }
      entry.resume();
      return;
    }
    if (raw.includes("\ufffd")) {
      this.#fail(
        `holds the name ${JSON.stringify(raw)}, which is not valid UTF-8: create the archive again`,
      );
      entry.resume();
      return;
    }
    if (!(entry.size <= limits.maxEntryBytes)) {
      this.#fail(`${path} is of ${entry.size} bytes, more than ${limits.maxEntryBytes}`);
      entry.resume();
      return;
    }
    // Gathered as they come: the size in the header is only a claim.
    const parts: Uint8Array[] = [];
    entry.on("data", (part: Uint8Array) => parts.push(part));
    entry.on("end", () => this.#finished.push({ path, bytes: concat(parts) }));
  }

  *push(chunk: Buffer): Generator<ArchiveEntry> {
    // Past the end marker the parser would only heap up what it is given.
    if (this.#sawEnd) return;
    if (this.#head) {
      this.#head = Buffer.concat([this.#head, chunk]);
      if (this.#head.length < 512) return;
      // Else the parser would unpack a second layer by itself, outside of our limits.
      if (this.#head[0] === 0x1f && this.#head[1] === 0x8b) this.#fail("compressed twice");
      const head = this.#head;
      this.#head = undefined;
      yield* this.#step(() => this.#parser.write(head));
      return;
    }
    yield* this.#step(() => this.#parser.write(chunk));
  }

  *end(): Generator<ArchiveEntry> {
    if (this.#head) this.#fail("not a tar archive (it is shorter than one header)");
    yield* this.#step(() => this.#parser.end());
  }

  *#step(feed: () => void): Generator<ArchiveEntry> {
    if (!this.#failure) {
      try {
        feed();
      } catch (cause) {
        this.#fail((cause as Error).message, cause as Error);
      }
    }
    if (this.#failure) throw this.#failure;
    const finished = this.#finished;
    this.#finished = [];
    yield* finished;
  }
}

export function leadsOutside(path: string): boolean {
  return (
    /^([/\\]|[A-Za-z]:)/.test(path) || path.includes("\0") || path.split(/[/\\]/).includes("..")
  );
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
