import { open, rename, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { dirname } from "node:path";
import { ThawError } from "../../errors.ts";
import { syncFolder } from "../../platform/durable.ts";
import { parseUrl, requestFollowing, shownAddress } from "../../platform/http.ts";
import { isDiskFailure, writeError } from "../../platform/system-error.ts";
import { removeAbandoned, temporaryPath } from "../../platform/temporary.ts";

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
  removeAbandoned(dirname(target));
  const temporary = temporaryPath(target);
  try {
    await save(response, url, { temporary, target }, options);
    const accepted = await options.accept(temporary);
    await rename(temporary, target);
    syncFolder(dirname(target));
    return accepted;
  } finally {
    response.destroy();
    await rm(temporary, { force: true });
  }
}

async function save(
  response: IncomingMessage,
  url: string,
  { temporary, target }: { readonly temporary: string; readonly target: string },
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
  const elsewhere = "choose another cache folder with THAW_HOME";
  const file = await open(temporary, "wx").catch((cause: Error) => {
    throw writeError(target, cause, { elsewhere });
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
    if (isDiskFailure(cause)) throw writeError(target, cause, { elsewhere });
    const { code } = cause as NodeJS.ErrnoException;
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
