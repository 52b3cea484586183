import { ThawError } from "../../errors.ts";
import { type OpenFile, readBytes, withFile } from "./file.ts";
import { inWords } from "./in-words.ts";
import { duplicateKey } from "./json-keys.ts";

/** The element types Thaw trains, saves or loads; the format knows more (F8, unsigned wide integers), which are refused. */
export type SafeDType =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U8"
  | "BOOL";

/** One tensor as it lies in a file: little-endian elements, row-major, `bytes.length` = product of `shape` × element size. */
export interface TensorData {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Where a tensor lies: `start` and `end` are bytes from the end of the header. */
export interface TensorPlace {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorPlace>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes before the first tensor: the 8 of the length and the header itself. */
  readonly dataOffset: number;
  /** Bytes of all tensors together. */
  readonly dataBytes: number;
}

export interface Safetensors {
  readonly tensors: Map<string, TensorData>;
  readonly metadata: Record<string, string>;
}

/** Headers above this are refused before they are read: ViT-Huge's is about 100 kB. */
export const MAX_HEADER_BYTES = 10_000_000;
/** A file that claims more tensors than this is damaged or hostile. */
export const MAX_TENSORS = 100_000;
const MAX_RANK = 64;

export const elementBytes: Readonly<Record<SafeDType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Order in which the official library lays tensors out: widest first, so that all are aligned. */
const layoutRank: Readonly<Record<SafeDType, number>> = {
  I64: 0,
  F64: 1,
  F32: 2,
  I32: 3,
  BF16: 4,
  F16: 5,
  I16: 6,
  I8: 7,
  U8: 8,
  BOOL: 9,
};

/**
 * Reads a safetensors file whole. The tensors are views of one buffer whose first byte is the first tensor's, so that
 * a file with a header of odd length still gives aligned tensors.
 * @throws ThawError where the file is missing, truncated, damaged, or of a dtype Thaw does not have.
 */
export function readSafetensors(path: string): Safetensors {
  return withFile(path, (file) => {
    const header = readHeader(file);
    return materialize(header, readBytes(file, header.dataOffset, header.dataBytes));
  });
}

/** Reads names, shapes and metadata only: a few kilobytes, whatever the file's size. Errors as `readSafetensors`. */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  return withFile(path, readHeader);
}

/** Parses a file already in memory; the tensors are views of `bytes`. `name` stands in messages. */
export function parseSafetensors(bytes: Uint8Array, name = "safetensors"): Safetensors {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, name);
  const header = parseHeader(bytes.subarray(8, 8 + length), bytes.length, name);
  return materialize(header, bytes.subarray(header.dataOffset));
}

/** The pieces of a safetensors file in file order; nothing is copied. */
export interface EncodedSafetensors {
  readonly header: Uint8Array;
  /** Header first, then one view a tensor. */
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
}

/**
 * Lays tensors out as the official library does: widest dtype first, then by name, header padded with spaces to 8 bytes.
 * Metadata keys are sorted, so that the same content always gives the same bytes.
 * @throws ThawError where a tensor's bytes do not fit its shape, or a name cannot be a key.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): EncodedSafetensors {
  const ordered = [...tensors].sort(
    ([aName, a], [bName, b]) =>
      layoutRank[a.dtype] - layoutRank[b.dtype] ||
      Buffer.compare(Buffer.from(aName), Buffer.from(bName)),
  );
  const entries: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    for (const key of keys) checkName(key, "safetensors");
    const pairs = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    entries.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  const views: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of ordered) {
    checkName(name, "safetensors");
    if (name === "__metadata__") throw new ThawError(`a tensor cannot be named ${name}`);
    const wanted = byteCount(dtype, shape, name, "safetensors");
    if (bytes.length !== wanted) {
      throw new ThawError(
        `${name}: ${dtype} [${shape.join(", ")}] takes ${wanted} bytes, ${bytes.length} given`,
      );
    }
    const end = offset + bytes.length;
    const place = { dtype, shape, data_offsets: [offset, end] };
    entries.push(`${JSON.stringify(name)}:${JSON.stringify(place)}`);
    views.push(bytes);
    offset = end;
  }
  const json = Buffer.from(`{${entries.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > MAX_HEADER_BYTES || ordered.length > MAX_TENSORS) {
    throw new ThawError(
      `too much for one safetensors file: ${ordered.length} tensors, header of ${padded} bytes`,
    );
  }
  const header = Buffer.alloc(8 + padded, " ");
  header.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(header, 8);
  return { header, chunks: [header, ...views], byteLength: header.length + offset };
}

function readHeader(file: OpenFile): SafetensorsHeader {
  const { size, path } = file;
  const length = headerLength(readBytes(file, 0, Math.min(8, size)), size, path);
  return parseHeader(readBytes(file, 8, length), size, path);
}

function headerLength(first: Uint8Array, size: number, name: string): number {
  if (first.length < 8) throw damaged(name, `${size} bytes, too short for a safetensors file`);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw damaged(name, `claims a header of ${length} bytes (limit ${MAX_HEADER_BYTES})`);
  }
  if (8 + Number(length) > size) {
    throw damaged(name, `claims a header of ${length} bytes, the file has ${size}`);
  }
  return Number(length);
}

function parseHeader(json: Uint8Array, size: number, name: string): SafetensorsHeader {
  if (json[0] !== 0x7b) throw damaged(name, "its header does not begin with {");
  const root = parseJson(json, name);
  const dataOffset = 8 + json.length;
  const dataBytes = size - dataOffset;
  const entries = Object.entries(root);
  if (entries.length > MAX_TENSORS) {
    throw damaged(name, `claims ${entries.length} tensors (limit ${MAX_TENSORS})`);
  }
  const tensors = new Map<string, TensorPlace>();
  let metadata: Record<string, string> = {};
  for (const [key, value] of entries) {
    checkName(key, name);
    if (key === "__metadata__") metadata = parseMetadata(value, name);
    else tensors.set(key, parsePlace(key, value, dataBytes, name));
  }
  checkCoverage(tensors, dataBytes, name);
  return { tensors, metadata, dataOffset, dataBytes };
}

function parseJson(json: Uint8Array, name: string): Record<string, unknown> {
  let text: string;
  let root: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(json);
    root = JSON.parse(text);
  } catch (cause) {
    throw damaged(name, `its header is not JSON (${(cause as Error).message.slice(0, 120)})`);
  }
  if (!isObject(root)) throw damaged(name, "its header is not a JSON object");
  const twice = duplicateKey(text);
  if (twice !== undefined) throw damaged(name, `${inWords(twice)} appears twice in its header`);
  return root;
}

function parseMetadata(value: unknown, name: string): Record<string, string> {
  if (!isObject(value)) throw damaged(name, "__metadata__ is not an object");
  const metadata: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) {
    checkName(key, name);
    if (typeof text !== "string")
      throw damaged(name, `__metadata__.${inWords(key)} is not a string`);
    metadata[key] = text;
  }
  return metadata;
}

function parsePlace(key: string, value: unknown, dataBytes: number, name: string): TensorPlace {
  const refuse = (why: string) => damaged(name, `tensor ${inWords(key)}: ${why}`);
  if (!isObject(value)) throw refuse("its entry is not an object");
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDType(dtype)) {
    throw new ThawError(`${name}: tensor ${inWords(key)} has dtype ${inWords(dtype)}`, {
      hint: `Thaw reads ${Object.keys(elementBytes).join(", ")}.`,
    });
  }
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isSize)) {
    throw refuse("its shape is not a list of sizes");
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw refuse("its data_offsets are not two positions");
  }
  const [start, end] = offsets as [number, number];
  if (start > end || end > dataBytes) {
    throw refuse(`bytes ${start} to ${end} do not lie in the ${dataBytes} bytes of data`);
  }
  const wanted = byteCount(dtype, shape, key, name);
  if (wanted !== end - start) {
    throw refuse(
      `${dtype} [${shape.join(", ")}] takes ${wanted} bytes, the file gives ${end - start}`,
    );
  }
  return { dtype, shape: Object.freeze([...shape]), start, end };
}

/** The format wants every byte to belong to exactly one tensor: neither gap nor overlap nor a tail. */
function checkCoverage(tensors: Map<string, TensorPlace>, dataBytes: number, name: string): void {
  const places = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let position = 0;
  for (const [key, { start, end }] of places) {
    if (start !== position) {
      const what = start < position ? "overlaps the tensor before it" : "leaves a gap before it";
      throw damaged(name, `tensor ${inWords(key)} ${what} (starts at ${start}, not ${position})`);
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw damaged(name, `its tensors take ${position} bytes, the file holds ${dataBytes}`);
  }
}

function materialize(header: SafetensorsHeader, data: Uint8Array): Safetensors {
  const tensors = new Map<string, TensorData>();
  for (const [name, { dtype, shape, start, end }] of header.tensors) {
    tensors.set(name, { dtype, shape, bytes: data.subarray(start, end) });
  }
  return { tensors, metadata: { ...header.metadata } };
}

/** @throws ThawError past 2^53 − 1 bytes, where a product would no longer be exact. */
function byteCount(dtype: SafeDType, shape: readonly number[], key: string, name: string): number {
  let bytes = elementBytes[dtype];
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) {
      throw damaged(name, `tensor ${inWords(key)}: shape [${shape.join(", ")}] is too large`);
    }
  }
  return bytes;
}

/** A key such as `a.__proto__.b` would reach Object.prototype in code that nests state dicts. */
function checkName(key: string, name: string): void {
  for (const part of key.split(".")) {
    if (part === "__proto__" || part === "constructor" || part === "prototype") {
      throw damaged(name, `the name ${inWords(key)} is not allowed`);
    }
  }
}

function damaged(name: string, why: string): ThawError {
  return new ThawError(`${name}: not a valid safetensors file: ${why}`, {
    hint: "The file is damaged, truncated or of another format; fetch or write it again.",
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDType(value: unknown): value is SafeDType {
  return typeof value === "string" && Object.hasOwn(elementBytes, value);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
