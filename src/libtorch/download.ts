import { createHash } from "node:crypto";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ThawError } from "../errors.ts";
import { removeAbandoned, temporaryPath } from "../platform/temporary.ts";

/**
 * Downloads a file, and puts it in place only if its SHA-256 is the one expected.
 * @throws ThawError naming the URL: no answer, an HTTP error, a cut connection, a wrong checksum.
 */
export async function downloadVerified(
  url: string,
  file: string,
  sha256: string,
  options: { onProgress?: (bytes: number, total: number | undefined) => void } = {},
): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  removeAbandoned(dirname(file));
  const partial = temporaryPath(file);
  try {
    const response = await fetch(url).catch((cause: Error) => {
      throw new ThawError(`${url}: ${reason(cause)}`, { cause });
    });
    if (!response.ok || response.body === null) {
      throw new ThawError(`${url}: HTTP ${response.status} ${response.statusText}`);
    }
    const length = Number(response.headers.get("content-length"));
    const total = length > 0 ? length : undefined;
    const hash = createHash("sha256");
    let bytes = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        hash.update(chunk);
        options.onProgress?.(bytes, total);
        done(null, chunk);
      },
    });
    try {
      // Opened before anything can fail: a stream that opens by itself may do so after the file was removed.
      const target = await open(partial, "w");
      await pipeline(Readable.fromWeb(response.body), count, target.createWriteStream());
    } catch (cause) {
      const of = total === undefined ? "" : ` of ${total}`;
      throw new ThawError(`${url}: broke off after ${bytes}${of} bytes (${reason(cause)})`, {
        hint: "try again",
        cause,
      });
    }
    const got = hash.digest("hex");
    if (got !== sha256.toLowerCase()) {
      throw new ThawError(
        `${url}: wrong checksum: SHA-256 ${got}, expected ${sha256}; the file was not kept`,
        { hint: "a damaged or changed download: try again, or get libtorch another way" },
      );
    }
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** fetch says only "fetch failed"; what failed is in its cause. */
function reason(error: unknown): string {
  const inner = (error as { cause?: { message?: string; code?: string } }).cause;
  return inner?.message || inner?.code || (error as Error).message;
}
