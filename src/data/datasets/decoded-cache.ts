import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type ImageSet, imageBytes } from "../imageset.ts";
import { writeWhole } from "./download.ts";
import type { BuiltinDataset } from "./registry.ts";

/** A data set as its source has it, before any split. */
export interface DecodedDataset {
  readonly train: ImageSet;
  readonly test: ImageSet;
  /** For people: where it came from. */
  readonly origin: string;
  /** sha256 over training pixels and labels, then test pixels and labels. */
  readonly contentSha256: string;
}

/*
 * The file: "THAWDATA", sha256 of all that follows, uint32 length of the header, the header (JSON,
 * padded with spaces to a multiple of 64 bytes), then pixels and labels as they are in memory.
 */
const MAGIC = Buffer.from("THAWDATA");
const PREFIX_BYTES = 64;
const LENGTH_AT = 40;
const MAX_HEADER_BYTES = 1 << 16;
/** A block is hashed while it is still in the CPU's cache. */
const READ_BYTES = 1 << 20;

interface Header {
  readonly recipe: string;
  readonly origin: string;
  readonly contentSha256: string;
  readonly trainCount: number;
  readonly testCount: number;
}

export function contentSha256(train: ImageSet, test: ImageSet): string {
  const hash = createHash("sha256");
  for (const part of payloadOf(train, test)) hash.update(part);
  return hash.digest("hex");
}

/**
 * The data set from its cache file, or undefined where there is none, it is damaged, or it was made
 * by another recipe (another version of the registry). Never throws: the sources are still there.
 */
export function readDecoded(path: string, dataset: BuiltinDataset): DecodedDataset | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    return read(file, dataset);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

function read(file: number, dataset: BuiltinDataset): DecodedDataset | undefined {
  const size = fstatSync(file).size;
  const { officialCounts } = dataset;
  const mostImages = officialCounts.train + officialCounts.test;
  const most = PREFIX_BYTES + MAX_HEADER_BYTES + mostImages * (imageBytes(dataset) + 1);
  if (size < PREFIX_BYTES || size > most) return undefined;

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
  const header = JSON.parse(bytes.toString("utf8", PREFIX_BYTES, payloadAt)) as Header;
  if (header.recipe !== recipeOf(dataset)) return undefined;

  let at = payloadAt;
  const take = (length: number): Uint8Array => {
    at += length;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at - length, length);
  };
  const takeSet = (count: number): ImageSet => ({
    images: take(count * imageBytes(dataset)),
    labels: take(count),
    count,
    channels: dataset.channels,
    height: dataset.height,
    width: dataset.width,
    classes: dataset.classes,
  });
  const train = takeSet(header.trainCount);
  const test = takeSet(header.testCount);
  if (at !== size) return undefined;
  return { train, test, origin: header.origin, contentSha256: header.contentSha256 };
}

/** Writes the cache file. */
export async function writeDecoded(
  path: string,
  dataset: BuiltinDataset,
  decoded: DecodedDataset,
): Promise<void> {
  const header: Header = {
    recipe: recipeOf(dataset),
    origin: decoded.origin,
    contentSha256: decoded.contentSha256,
    trainCount: decoded.train.count,
    testCount: decoded.test.count,
  };
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 64) * 64, " ");
  json.copy(padded);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  MAGIC.copy(prefix);
  prefix.writeUInt32LE(padded.length, LENGTH_AT);
  const payload = [padded, ...payloadOf(decoded.train, decoded.test)];
  const hash = createHash("sha256").update(prefix.subarray(LENGTH_AT));
  for (const part of payload) hash.update(part);
  hash.digest().copy(prefix, MAGIC.length);

  await writeWhole(path, [prefix, ...payload]);
}

function payloadOf(train: ImageSet, test: ImageSet): Uint8Array[] {
  return [train.images, asBytes(train), test.images, asBytes(test)];
}

function asBytes({ labels }: ImageSet): Uint8Array {
  return labels instanceof Uint8Array ? labels : Uint8Array.from(labels);
}

/** Changes with whatever the decoded bytes depend on. */
function recipeOf({ name, channels, height, width, classes, artifacts }: BuiltinDataset): string {
  const checksums = artifacts.map(({ contents }) => contents);
  const text = JSON.stringify([1, name, channels, height, width, classes, checksums]);
  return createHash("sha256").update(text).digest("hex");
}
