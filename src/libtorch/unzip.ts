import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { ThawError } from "../errors.ts";

export interface UnzipLimits {
  /** Uncompressed bytes of all files together. */
  readonly totalBytes: number;
  readonly entries: number;
}

/**
 * Unpacks a zip archive into `folder`. Links, paths that lead outside and archives beyond the limits
 * are refused; what was unpacked until then stays, so unpack into a temporary folder.
 */
export async function unzip(file: string, folder: string, limits: UnzipLimits): Promise<void> {
  const zip = await openPromise(file, { lazyEntries: true, strictFileNames: true }).catch(
    (cause: Error) => {
      throw refusal(file, cause.message, cause);
    },
  );
  let total = 0;
  let entries = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const target = safeTarget(file, folder, entry);
      entries += 1;
      total += entry.uncompressedSize;
      if (entries > limits.entries || total > limits.totalBytes) {
        throw refusal(
          file,
          `more than ${limits.entries} files or ${limits.totalBytes} bytes when unpacked`,
        );
      }
      if (entry.fileName.endsWith("/")) {
        mkdirSync(target, { recursive: true });
      } else {
        mkdirSync(dirname(target), { recursive: true });
        await write(zip, entry, target);
      }
    }
  } catch (error) {
    throw error instanceof ThawError ? error : refusal(file, (error as Error).message, error);
  } finally {
    zip.close();
  }
}

function safeTarget(file: string, folder: string, entry: Entry): string {
  const mode = (entry.externalFileAttributes >>> 16) & 0xffff;
  if ((mode & 0o170000) === 0o120000) throw refusal(file, `${entry.fileName} is a link`);
  const target = resolve(join(folder, entry.fileName));
  if (!`${target}${sep}`.startsWith(resolve(folder) + sep)) {
    throw refusal(file, `${entry.fileName} leads outside of the target folder`);
  }
  return target;
}

/** yauzl itself checks that the size is the one announced. */
async function write(zip: ZipFile, entry: Entry, target: string): Promise<void> {
  const stream = await zip.openReadStreamPromise(entry);
  await pipeline(stream, createWriteStream(target));
}

function refusal(file: string, why: string, cause?: unknown): ThawError {
  return new ThawError(`${file}: ${why}`, {
    hint: "not a whole libtorch archive; nothing of it is used",
    ...(cause !== undefined && { cause }),
  });
}
