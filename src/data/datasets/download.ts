import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { dirname } from "node:path";
import { ThawError } from "../../errors.ts";
import { parseUrl, requestFollowing, shownAddress } from "../../platform/http.ts";

export interface DownloadOptions<T> {
  /** Judges the whole file before it gets its name; what it throws ends the download. */
  readonly accept: (temporary: string) => Promise<T>;
  /** More than this is refused while it comes. */
  readonly maxBytes: number;
  /** `total` is undefined where the server does not say. */
  readonly onProgress?: ((received: number, total: number | undefined) => void) | undefined;
  /** How long the server may be silent, or slower than 1 KiB a second; connecting included. */
  readonly stallMs?: number | undefined;
}

/** The server answers, and does not have the file. */
export class NotOnServerError extends ThawError {}

/**
 * Downloads `url` to `target`: into a temporary file beside it, which takes the name only once
 * `accept` has found it good and it is on the disk. A failed download leaves nothing behind.
 * @throws NotOnServerError on 404 and 410, ThawError on all else that goes wrong.
 */
export async function downloadFile<T>(
  url: string,
  target: string,
  options: DownloadOptions<T>,
): Promise<T> {
  const response = await request(url, options.stallMs);
  const temporary = temporaryName(target);
  try {
    await save(response, url, temporary, options);
    const accepted = await options.accept(temporary);
    await rename(temporary, target);
    await syncFolder(dirname(target));
    return accepted;
  } finally {
    response.destroy();
    await rm(temporary, { force: true });
  }
}

/** Beside `target`, and no other process's: the cache may be shared by machines. */
export function temporaryName(target: string): string {
  return `${target}.part-${randomUUID()}`;
}

export function isTemporary(file: string): boolean {
  return /\.part-[0-9a-f-]{36}$/.test(file);
}

async function save(
  response: IncomingMessage,
  url: string,
  temporary: string,
  { maxBytes, onProgress }: Pick<DownloadOptions<unknown>, "maxBytes" | "onProgress">,
): Promise<void> {
  const source = shownAddress(parseUrl(url));
  const header = response.headers["content-length"];
  const total = header === undefined ? undefined : Number(header);
  const tooLarge = (bytes: number) =>
    new ThawError(`${source}: ${bytes} bytes or more, expected at most ${maxBytes}`, {
      hint: "the address serves something else: check it, or use another mirror",
    });
  if (total !== undefined && total > maxBytes) throw tooLarge(total);
  let received = 0;
  const file = await open(temporary, "wx").catch((cause: Error) => {
    throw new ThawError(`${temporary} cannot be written: ${cause.message}`, {
      hint: "make room or choose another cache folder with THAW_HOME",
      cause,
    });
  });
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      received += chunk.length;
      if (received > maxBytes) throw tooLarge(received);
      await file.writeFile(chunk);
      onProgress?.(received, total);
    }
    if (total !== undefined && received !== total) throw new Error("the connection was cut");
    await file.sync();
  } catch (cause) {
    if (cause instanceof ThawError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOSPC" || code === "EDQUOT" || code === "EIO") {
      throw new ThawError(`${temporary} cannot be written: ${(cause as Error).message}`, {
        hint: "make room or choose another cache folder with THAW_HOME",
        cause,
      });
    }
    const reason = code === "ECONNRESET" ? "the connection was cut" : (cause as Error).message;
    const of = total === undefined ? "" : ` of ${total}`;
    throw new ThawError(`${source}: ${reason} after ${received}${of} bytes`, {
      hint: "try again, or use another mirror",
      cause,
    });
  } finally {
    await file.close();
  }
}

/** A response of status 200, redirects followed. */
async function request(url: string, stallMs: number | undefined): Promise<IncomingMessage> {
  const { response, address } = await requestFollowing(parseUrl(url), { limits: { stallMs } });
  const { statusCode: status = 0, statusMessage = "" } = response;
  if (status === 200) return response;
  response.destroy();
  const message = `${shownAddress(address)}: HTTP ${status} ${statusMessage}`.trimEnd();
  if (status === 404 || status === 410) throw new NotOnServerError(message);
  throw new ThawError(message, { hint: "try again later, or use another mirror" });
}

/** Writes a file that is never seen half: a temporary one beside it, synced, then renamed. */
export async function writeWhole(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, "wx");
    try {
      for await (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } finally {
    await rm(temporary, { force: true });
  }
}

/** So that the new name itself survives a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder, and needs none of this.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
