import { ThawError } from "../../errors.ts";
import { type OpenFile, readBytes } from "./file.ts";
import { MAX_TENSORS } from "./safetensors.ts";

/** A file in a zip archive. Sizes and positions are bytes, and not yet held against the archive's. */
export interface ZipEntry {
  readonly name: string;
  /** True where it lies as it is: neither compressed nor encrypted. */
  readonly isStored: boolean;
  readonly size: number;
  readonly crc32: number;
  /** Where its local header begins. */
  readonly headerAt: number;
}

const END = 22;
const END_COMMENT = 65535;
const LOCATOR_64 = 20;
const END_64 = 56;
const ENTRY = 46;
const LOCAL_HEADER = 30;
const MAX_DIRECTORY_BYTES = 50_000_000;

/**
 * The directory of a zip archive, with 64-bit sizes where it has them. Our own reader, since it must not fail on any
 * file: yauzl 3.4 lets an impossible position in a directory end the process. @throws ThawError where it is damaged.
 */
export function readZipDirectory(file: OpenFile): Map<string, ZipEntry> {
  const { count, size, at } = findDirectory(file);
  if (count > MAX_TENSORS || size > MAX_DIRECTORY_BYTES || !(at + size <= file.size)) {
    throw damagedZip(file.path, `a directory of ${count} entries and ${size} bytes at byte ${at}`);
  }
  const bytes = bufferOf(file, at, size);
  const entries = new Map<string, ZipEntry>();
  let position = 0;
  for (let i = 0; i < count; i++) {
    if (position + ENTRY > size || bytes.readUInt32LE(position) !== 0x02014b50) {
      throw damagedZip(file.path, `its directory ends after ${i} of ${count} entries`);
    }
    const nameEnd = position + ENTRY + bytes.readUInt16LE(position + 28);
    const extraEnd = nameEnd + bytes.readUInt16LE(position + 30);
    const next = extraEnd + bytes.readUInt16LE(position + 32);
    if (next > size) throw damagedZip(file.path, `its directory ends within entry ${i}`);
    const entry = entryOf(bytes, position, nameEnd, extraEnd, file.path);
    entries.set(entry.name, entry);
    position = next;
  }
  return entries;
}

/** The content of a stored entry. @throws ThawError where it does not lie in the file. */
export function readZipEntry(file: OpenFile, { name, headerAt, size }: ZipEntry): Uint8Array {
  const fits = headerAt + LOCAL_HEADER + size <= file.size;
  const header = fits ? bufferOf(file, headerAt, LOCAL_HEADER) : undefined;
  if (header?.readUInt32LE(0) !== 0x04034b50) {
    throw damagedZip(file.path, `its entry ${name} is not where the directory says`);
  }
  // The name and the extra field may be longer here than in the directory: PyTorch aligns by them.
  const start = headerAt + LOCAL_HEADER + header.readUInt16LE(26) + header.readUInt16LE(28);
  return readBytes(file, start, size);
}

export function damagedZip(path: string, why: string): ThawError {
  return new ThawError(`${path}: not a whole PyTorch file: ${why}`, {
    hint: "The file is damaged or truncated; fetch or write it again.",
  });
}

function findDirectory(file: OpenFile): { count: number; size: number; at: number } {
  const length = Math.min(file.size, END + END_COMMENT + LOCATOR_64);
  const tail = bufferOf(file, file.size - length, length);
  const end = tail.lastIndexOf("PK\x05\x06", tail.length - END, "latin1");
  if (end < 0) throw damagedZip(file.path, "the directory at its end is missing");
  const locator = end - LOCATOR_64;
  if (locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50) {
    const at = Number(tail.readBigUInt64LE(locator + 8));
    const header = at + END_64 <= file.size ? bufferOf(file, at, END_64) : undefined;
    if (header?.readUInt32LE(0) !== 0x06064b50) {
      throw damagedZip(file.path, "the directory at its end is missing");
    }
    const long = (from: number) => Number(header.readBigUInt64LE(from));
    return { count: long(32), size: long(40), at: long(48) };
  }
  return {
    count: tail.readUInt16LE(end + 10),
    size: tail.readUInt32LE(end + 12),
    at: tail.readUInt32LE(end + 16),
  };
}

function entryOf(bytes: Buffer, at: number, nameEnd: number, extraEnd: number, path: string) {
  const long = longFields(bytes.subarray(nameEnd, extraEnd));
  const field = (from: number): number => {
    const value = bytes.readUInt32LE(at + from);
    // The 64-bit values stand in the order of the fields, and only for those that are full.
    return value === 0xffffffff ? (long.shift() ?? value) : value;
  };
  const size = field(24);
  const compressed = field(20);
  const headerAt = field(42);
  const name = bytes.toString("utf8", at + ENTRY, nameEnd);
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(headerAt)) {
    throw damagedZip(path, `its entry ${name} has an impossible size or place`);
  }
  const isEncrypted = (bytes.readUInt16LE(at + 8) & 1) !== 0;
  const isStored = bytes.readUInt16LE(at + 10) === 0 && compressed === size && !isEncrypted;
  return { name, isStored, size, crc32: bytes.readUInt32LE(at + 16), headerAt };
}

/** The 64-bit values of the extra field with the id 1. */
function longFields(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const count = Math.min(extra.readUInt16LE(at + 2), extra.length - at - 4) >> 3;
    return Array.from({ length: count }, (_, i) => Number(extra.readBigUInt64LE(at + 4 + 8 * i)));
  }
  return [];
}

function bufferOf(file: OpenFile, position: number, length: number): Buffer {
  const { buffer, byteOffset } = readBytes(file, position, length);
  return Buffer.from(buffer, byteOffset, length);
}
