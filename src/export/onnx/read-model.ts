import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { ThawError } from "../../errors.ts";

/** What a model file says of itself, without its graph. */
export interface ModelHeader {
  readonly irVersion: number;
  readonly producer: string;
  readonly opset: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Of one message that is read whole; a graph may be gigabytes and is passed over. */
const LARGEST_ENTRY = 16 * 2 ** 20;
/** Of all that is kept, and fields in all: a file of ours has a dozen small ones. */
const LARGEST_IN_ALL = 64 * 2 ** 20;
const MOST_FIELDS = 10_000;
/** Tag and length. */
const HEADER = 20;

/**
 * Reads the outer fields of an onnx.ModelProto; memory does not grow with the file.
 * @throws ThawError for a file that is none, or is cut short.
 */
export function readModelHeader(path: string): ModelHeader {
  const fd = open(path);
  try {
    return scan(path, fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new ThawError(`${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function scan(path: string, fd: number, size: number): ModelHeader {
  const metadata: Record<string, string> = {};
  let [irVersion, producer, opset, hasGraph] = [0, "", 0, false];
  let [count, kept] = [0, 0];
  for (let at = 0; at < size; ) {
    if (++count > MOST_FIELDS) throw damaged(path, "it has too many entries");
    const head = new BinaryReader(read(fd, at, Math.min(HEADER, size - at)));
    const { field, wireType, start, end } = attempt(path, () => {
      const [field, wireType] = head.tag();
      if (wireType === 0) {
        const value = Number(head.int64());
        if (field === 1) irVersion = value;
        return { field, wireType, start: at + head.pos, end: at + head.pos };
      }
      if (wireType !== 2) throw new Error(`a field of wire type ${wireType}`);
      const length = head.uint32();
      return { field, wireType, start: at + head.pos, end: at + head.pos + length };
    });
    if (end > size) throw damaged(path, "it is cut short");
    at = end;
    if (wireType === 0) continue;
    if (field === 7) {
      hasGraph = true;
      continue;
    }
    if (![2, 8, 14].includes(field)) continue;
    kept += end - start;
    if (end - start > LARGEST_ENTRY || kept > LARGEST_IN_ALL)
      throw damaged(path, "an entry is too large");
    const bytes = read(fd, start, end - start);
    if (field === 2) producer = bytes.toString("utf8");
    const pair = () => attempt(path, () => fieldsOf(bytes));
    if (field === 8) {
      const { strings, numbers } = pair();
      if ((strings.get(1) ?? "") === "") opset = numbers.get(2) ?? 0;
    }
    if (field === 14) {
      const { strings } = pair();
      metadata[strings.get(1) ?? ""] = strings.get(2) ?? "";
    }
  }
  if (irVersion < 1 || !hasGraph) throw damaged(path, "it has no version or no graph");
  return { irVersion, producer, opset, metadata };
}

function fieldsOf(bytes: Uint8Array): {
  strings: Map<number, string>;
  numbers: Map<number, number>;
} {
  const reader = new BinaryReader(bytes);
  const [strings, numbers] = [new Map<number, string>(), new Map<number, number>()];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === 2) strings.set(field, reader.string());
    else if (wireType === 0) numbers.set(field, Number(reader.int64()));
    else reader.skip(wireType);
  }
  return { strings, numbers };
}

function read(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, at + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

function attempt<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw damaged(path, (cause as Error).message, cause);
  }
}

function damaged(path: string, why: string, cause?: unknown): ThawError {
  return new ThawError(`${path}: not an ONNX model file: ${why}`, {
    hint: "is it damaged, or something else?",
    cause,
  });
}
