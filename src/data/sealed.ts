import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { writeWhole } from "../platform/durable.ts";

/*
 * The file: "THAWDATA", sha256 of all that follows, uint32 length of the header, the header (JSON,
 * padded with spaces to a multiple of 64 bytes), then the payload as it is in memory.
 */
const MAGIC = Buffer.from("THAWDATA");
const PREFIX_BYTES = 64;
const LENGTH_AT = 40;
const MAX_HEADER_BYTES = 1 << 16;
/** A block is hashed while it is still in the CPU's cache. */
const READ_BYTES = 1 << 20;

export interface Sealed {
  /** As it was given; only the checksum vouches for its type. */
  readonly header: unknown;
  readonly payload: Uint8Array;
}

/**
 * A file of `writeSealed` with at most so many bytes of payload, or undefined where there is none or it
 * is damaged. Never throws: what it holds can be made again.
 */
export function readSealed(path: string, maxPayload: number): Sealed | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    return read(file, maxPayload);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

function read(file: number, maxPayload: number): Sealed | undefined {
  const size = fstatSync(file).size;
  if (size < PREFIX_BYTES || size > PREFIX_BYTES + MAX_HEADER_BYTES + maxPayload) return undefined;

  const bytes = Buffer.allocUnsafeSlow(size);
  const hash = createHash("sha256");
  for (let at = 0; at < size; ) {
    const got = readSync(file, bytes, at, Math.min(READ_BYTES, size - at), null);
    if (got === 0) return undefined;
    // The first block is larger than what the hash leaves out.
    hash.update(bytes.subarray(Math.max(at, LENGTH_AT), at + got));
    at += got;
  }
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (!hash.digest().equals(bytes.subarray(MAGIC.length, LENGTH_AT))) return undefined;

  const payloadAt = PREFIX_BYTES + bytes.readUInt32LE(LENGTH_AT);
  const header: unknown = JSON.parse(bytes.toString("utf8", PREFIX_BYTES, payloadAt));
  const payload = new Uint8Array(bytes.buffer, bytes.byteOffset + payloadAt, size - payloadAt);
  return { header, payload };
}

/** Writes header and payload with their checksum, whole or not at all. */
export async function writeSealed(
  path: string,
  header: unknown,
  payload: readonly Uint8Array[],
): Promise<void> {
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 64) * 64, " ");
  json.copy(padded);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  MAGIC.copy(prefix);
  prefix.writeUInt32LE(padded.length, LENGTH_AT);
  const hash = createHash("sha256").update(prefix.subarray(LENGTH_AT));
  for (const part of [padded, ...payload]) hash.update(part);
  hash.digest().copy(prefix, MAGIC.length);
  await writeWhole(path, [prefix, padded, ...payload]);
}
