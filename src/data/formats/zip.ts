import { statSync } from "node:fs";
import type { Readable } from "node:stream";
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from "yauzl";
import {
  type ArchiveEntry,
  type ArchiveOptions,
  bombLimit,
  defaultArchiveLimits,
  leadsOutside,
} from "./archive.ts";
import { DamagedFileError } from "./damaged.ts";

/**
 * Yields the wanted regular files of a .zip as `archiveEntries` does those of a .tar, under the same
 * limits. Names are UTF-8 where they can be, whatever their flag says; else the format's old CP437.
 */
export async function* zipEntries(
  path: string,
  options: ArchiveOptions,
): AsyncGenerator<ArchiveEntry> {
  const limits = { ...defaultArchiveLimits, ...options.limits };
  const most = bombLimit(limits, statSync(path).size);
  const refuse = (why: string, cause?: unknown): never => {
    throw new DamagedFileError(`${path}: ${why}`, cause === undefined ? {} : { cause });
  };
  const zip = await openPromise(path, { lazyEntries: true, decodeStrings: false }).catch(
    (cause: Error) => refuse(`not a whole zip archive (${cause.message})`, cause),
  );
  let entries = 0;
  let total = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const name = nameOf(entry);
      if (++entries > limits.maxEntries) refuse(`more than ${limits.maxEntries} entries`);
      if (leadsOutside(name)) {
        refuse(`holds the path ${JSON.stringify(name)}, which leads outside the archive`);
      }
      // yauzl ends an entry that unpacks to another size than is claimed here.
      total += entry.uncompressedSize;
      if (total > most) refuse(`unpacks to more than ${most} bytes: refused as a bomb`);
      if (name.endsWith("/")) continue;
      const kind = (entry.externalFileAttributes >>> 28) & 0xf;
      if (kind !== 0 && kind !== REGULAR) {
        options.onSkipped?.(name, "not a regular file");
        continue;
      }
      if (!options.wanted(name)) continue;
      if (entry.uncompressedSize > limits.maxEntryBytes) {
        refuse(`${name} is of ${entry.uncompressedSize} bytes, more than ${limits.maxEntryBytes}`);
      }
      yield { path: name, bytes: await read(zip, entry) };
      options.onBytes?.(total);
    }
  } catch (cause) {
    if (cause instanceof DamagedFileError) throw cause;
    refuse(`damaged zip data (${(cause as Error).message})`, cause);
  } finally {
    zip.close();
  }
}

/** The type bits of a Unix mode; 0 is what other systems write. */
const REGULAR = 0o10;

async function read(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const stream: Readable = await zip.openReadStreamPromise(entry);
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

function nameOf(entry: Entry): string {
  const raw = entry.fileName as unknown as Buffer;
  const name = strictUtf8(raw) ?? decodedByFlag(entry, raw);
  return name.replaceAll("\\", "/").replace(/^(\.\/+)+/, "");
}

function strictUtf8(raw: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return undefined;
  }
}

function decodedByFlag(entry: Entry, raw: Buffer): string {
  return getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields, false);
}
