import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DamagedFileError } from "./damaged.ts";

const gunzipAsync = promisify(gunzip);

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks gzip data that must come to at most `maxBytes`; anything that would be larger is refused
 * before that much memory is used. `where` names the file in errors.
 */
export async function gunzipBounded(
  bytes: Uint8Array,
  maxBytes: number,
  where: string,
): Promise<Uint8Array> {
  try {
    return await gunzipAsync(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize: 1 << 18 });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason =
      code === "ERR_BUFFER_TOO_LARGE"
        ? `unpacks to more than the ${maxBytes} bytes it may have`
        : `damaged gzip data (${(cause as Error).message})`;
    throw new DamagedFileError(`${where}: ${reason}`, { cause });
  }
}
