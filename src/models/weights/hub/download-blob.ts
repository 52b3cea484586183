import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { dirname } from "node:path";
import { ThawError } from "../../../errors.ts";
import { syncFolder } from "../../../platform/durable.ts";
import { NoAnswerError } from "../../../platform/http.ts";
import { writeError } from "../../../platform/system-error.ts";
import { type Connection, type HubFileInfo, hubFileBody } from "./client.ts";
import { type HubFileName, HubUnavailableError, otherWays } from "./errors.ts";
import { delayAfter } from "./retry.ts";

/** Said while a file comes, in bytes. `total` is undefined where nobody knows it. */
export interface WeightsProgress {
  readonly file: string;
  readonly received: number;
  readonly total: number | undefined;
}

/** Bytes that a connection has to bring before it breaks, or it counts as one that has failed. */
const LEAST_PROGRESS = 16 * 1024;

export interface BlobOptions extends Connection {
  readonly onProgress?: ((progress: WeightsProgress) => void) | undefined;
}

/**
 * Fetches a blob to `path` by way of `<path>.incomplete`, which a later call goes on with, whoever began it. The file
 * takes its name only once size and checksum are right and it is on the disk. The caller holds the blob's lock.
 * @throws ThawError: checksum, full disk, a connection that breaks again and again.
 */
export async function downloadBlob(
  path: string,
  name: HubFileName,
  info: HubFileInfo,
  options: BlobOptions,
): Promise<void> {
  const partial = `${path}.incomplete`;
  await mkdir(dirname(path), { recursive: true }).catch((cause) => throwUnwritable(path, cause));
  const resumed = existsSync(partial);
  await fetchAll(partial, name, info, options);
  let doubt = await checksumDoubt(partial, info);
  if (doubt !== undefined && resumed) {
    // The beginning was somebody else's, or of a killed machine: once more, all of it.
    await rm(partial, { force: true });
    await fetchAll(partial, name, info, options);
    doubt = await checksumDoubt(partial, info);
  }
  if (doubt !== undefined) {
    await rm(partial, { force: true });
    throw new ThawError(`${name.repo}: ${name.file} arrived damaged: ${doubt}; it was not kept`, {
      hint: `try again; or ${otherWays}`,
    });
  }
  await rename(partial, path);
  syncFolder(dirname(path));
}

/** Appends to `partial` until it has all bytes; after a cut it goes on where it was. */
async function fetchAll(
  partial: string,
  name: HubFileName,
  info: HubFileInfo,
  options: BlobOptions,
): Promise<void> {
  const { size } = info;
  const file = await open(partial, "a").catch((cause) => throwUnwritable(partial, cause));
  try {
    let received = (await file.stat()).size;
    if (received > size) {
      await file.truncate(0);
      received = 0;
    }
    await requireSpace(partial, size - received);
    for (let failures = 0; received < size; ) {
      const before = received;
      let reason = "the connection was cut";
      const response = await hubFileBody(name, received, options);
      try {
        const start = startOf(response);
        if (start !== received) {
          // It does not do parts, or has not this one: from the beginning.
          await file.truncate(0);
          received = 0;
          if (start !== 0) throw new Error(`HTTP ${response.statusCode}`);
        }
        for await (const chunk of response as AsyncIterable<Buffer>) {
          if (received + chunk.length > size) throw tooLong(name, size);
          await file.writeFile(chunk).catch((cause) => throwUnwritable(partial, cause));
          received += chunk.length;
          options.onProgress?.({ file: name.file, received, total: size });
        }
      } catch (cause) {
        if (cause instanceof ThawError && !(cause instanceof NoAnswerError)) throw cause;
        if ((cause as NodeJS.ErrnoException).code !== "ECONNRESET") {
          reason = (cause as Error).message;
        }
      } finally {
        response.destroy();
      }
      if (received >= size) break;
      // A server that breaks off after every few bytes gets no further than one that sends none.
      failures = received - before >= LEAST_PROGRESS ? 1 : failures + 1;
      const delay = delayAfter(failures, options.retry);
      if (delay === undefined) throw brokeOff(name, reason, received, size);
      await options.retry.wait(delay);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Where in the file the body begins: `Content-Range: bytes 100-999/1000` → 100. */
function startOf({ statusCode, headers }: IncomingMessage): number | undefined {
  if (statusCode === 200) return 0;
  const start = /^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1];
  return statusCode === 206 && start !== undefined ? Number(start) : undefined;
}

/** What is wrong with the file, by sha256 or git's blob id; an ETag of another form says nothing of the content. */
async function checksumDoubt(
  path: string,
  { etag, size }: HubFileInfo,
): Promise<string | undefined> {
  const algorithm = etag.length === 64 ? "sha256" : "sha1";
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) return undefined;
  const hash = createHash(algorithm);
  if (algorithm === "sha1") hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
  }
  const found = hash.digest("hex");
  const what = algorithm === "sha1" ? "git blob id" : algorithm;
  return found === etag ? undefined : `${what} ${found}, expected ${etag}`;
}

async function requireSpace(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  if (bytes <= bavail * bsize) return;
  throw new ThawError(`${path}: ${bytes} bytes are to come, ${bavail * bsize} are free`, {
    hint: "make room, or choose another cache folder with HF_HOME; what has come is kept",
  });
}

function throwUnwritable(path: string, cause: unknown): never {
  throw writeError(path, cause, { elsewhere: "choose another cache folder with HF_HOME" });
}

function tooLong({ repo, file }: HubFileName, size: number): ThawError {
  return new ThawError(`${repo}: ${file} is longer than the ${size} bytes that were announced`, {
    hint: "try again; a proxy in between may answer in the hub's place",
  });
}

function brokeOff({ repo, file }: HubFileName, reason: string, received: number, size: number) {
  return new HubUnavailableError(
    `${repo}: ${file}: ${reason} after ${received} of ${size} bytes, again and again`,
    { hint: `run it again: it goes on where it was; or ${otherWays}` },
  );
}

/** The size of a file, undefined if it is not there. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
