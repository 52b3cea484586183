import { createHash } from "node:crypto";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { ThawError } from "../errors.ts";
import { parseUrl, requestFollowing, type SomeLimits, shownAddress } from "../platform/http.ts";
import { isDiskFailure, writeError } from "../platform/system-error.ts";
import { removeAbandoned, temporaryPath } from "../platform/temporary.ts";

/** No archive of libtorch is larger: with CUDA it has 3 GB. */
const MAX_BYTES = 16 * 2 ** 30;
const elsewhere = "choose another cache folder with THAW_HOME";

/**
 * Downloads a file, and puts it in place only if its SHA-256 is the one expected.
 * @throws ThawError naming the URL: no answer, an HTTP error, a cut or too slow connection, a wrong checksum.
 */
export async function downloadVerified(
  url: string,
  file: string,
  sha256: string,
  options: {
    readonly onProgress?: (bytes: number, total: number | undefined) => void;
    readonly maxBytes?: number;
    readonly limits?: SomeLimits;
  } = {},
): Promise<void> {
  const { maxBytes = MAX_BYTES, limits, onProgress } = options;
  const start = parseUrl(url);
  const source = shownAddress(start);
  mkdirSync(dirname(file), { recursive: true });
  removeAbandoned(dirname(file));
  const partial = temporaryPath(file);
  const { response } = await requestFollowing(start, { limits });
  try {
    if (response.statusCode !== 200) {
      throw new ThawError(`${source}: HTTP ${response.statusCode} ${response.statusMessage}`);
    }
    const length = Number(response.headers["content-length"]);
    const total = length > 0 ? length : undefined;
    const tooLarge = () =>
      new ThawError(`${source}: more than the ${maxBytes} bytes allowed for libtorch`);
    if (total !== undefined && total > maxBytes) throw tooLarge();
    const hash = createHash("sha256");
    let bytes = 0;
    const target = await open(partial, "w");
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge();
        hash.update(chunk);
        await target.writeFile(chunk);
        onProgress?.(bytes, total);
      }
    } catch (cause) {
      if (cause instanceof ThawError) throw cause;
      if (isDiskFailure(cause)) throw writeError(file, cause, { elsewhere });
      const of = total === undefined ? "" : ` of ${total}`;
      const reason = (cause as Error).message;
      throw new ThawError(`${source}: broke off after ${bytes}${of} bytes (${reason})`, {
        hint: "try again",
        cause,
      });
    } finally {
      await target.close();
    }
    const got = hash.digest("hex");
    if (got !== sha256.toLowerCase()) {
      throw new ThawError(
        `${source}: wrong checksum: SHA-256 ${got}, expected ${sha256}; the file was not kept`,
        { hint: "a damaged or changed download: try again, or get libtorch another way" },
      );
    }
    renameSync(partial, file);
  } finally {
    response.destroy();
    rmSync(partial, { force: true });
  }
}
