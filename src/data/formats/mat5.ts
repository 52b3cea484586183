import { inflateSync } from "node:zlib";
import { DamagedFileError } from "./damaged.ts";

/*
 * MATLAB's level 5 MAT-file (MathWorks, "MAT-File Format", R2019b): a header of 128 bytes, then elements
 * of a type, a length and data, padded to 8 bytes; up to 4 bytes of data may stand in the tag itself.
 */
const HEADER_BYTES = 128;
const ENDIAN_AT = 126;
/** Types of elements. */
const mi = {
  int8: 1,
  uint8: 2,
  uint16: 4,
  int32: 5,
  uint32: 6,
  matrix: 14,
  compressed: 15,
  utf8: 16,
  utf16: 17,
};
/** Classes of arrays. */
const mx = { cell: 1, char: 4 };
/** Of all compressed elements together, unpacked. */
const MAX_BYTES = 64 * 2 ** 20;

interface Element {
  readonly type: number;
  readonly data: Buffer;
}

interface Matrix {
  readonly class: number;
  /** Of its dimensions. */
  readonly elements: number;
  readonly name: string;
  /** What follows the name: of a cell array its cells, of text its letters. */
  readonly parts: readonly Element[];
}

/**
 * The texts of the cell array called `variable`, in MATLAB's order.
 * @throws DamagedFileError for what is no such file, is cut short or has no such array of texts.
 */
export function cellTexts(file: Uint8Array, variable: string, where: string): string[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const fail = (what: string) => new DamagedFileError(`${where}: ${what}`);
  const order = bytes.toString("latin1", ENDIAN_AT, HEADER_BYTES);
  if (order === "MI") throw fail("a MAT-file of big-endian numbers, which are not read");
  if (order !== "IM") throw fail("no MAT-file of level 5");
  try {
    let left = MAX_BYTES;
    for (const packed of elementsOf(bytes.subarray(HEADER_BYTES))) {
      const [element] = packed.type === mi.compressed ? unpack(packed.data, left) : [packed];
      if (packed.type === mi.compressed) left -= element?.data.length ?? 0;
      if (element?.type !== mi.matrix) continue;
      const matrix = matrixOf(element.data);
      if (matrix.name === variable) return textsOf(matrix);
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new DamagedFileError(`${where}: is damaged: ${cause.message}`, { cause });
  }
  throw fail(`has no variable ${variable}`);
}

function unpack(data: Buffer, most: number): Element[] {
  let unpacked: Buffer;
  try {
    unpacked = inflateSync(data, { maxOutputLength: Math.max(1, most) });
  } catch (cause) {
    throw new RangeError(`a compressed element cannot be unpacked: ${(cause as Error).message}`);
  }
  return [...elementsOf(unpacked)];
}

/** @throws RangeError where an element is longer than what holds it. */
function* elementsOf(bytes: Buffer): Generator<Element> {
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw new RangeError("it is cut short");
    const word = bytes.readUInt32LE(at);
    const short = word >>> 16;
    const length = short > 0 ? short : bytes.readUInt32LE(at + 4);
    const from = short > 0 ? at + 4 : at + 8;
    if (short > 4 || from + length > bytes.length) throw new RangeError("it is cut short");
    const type = short > 0 ? word & 0xffff : word;
    yield { type, data: bytes.subarray(from, from + length) };
    // What is compressed is not padded.
    const end = type === mi.compressed ? from + length : from + Math.ceil(length / 8) * 8;
    at = short > 0 ? at + 8 : end;
  }
}

function matrixOf(data: Buffer): Matrix {
  const [flags, dimensions, name, ...parts] = elementsOf(data);
  if (flags?.type !== mi.uint32 || flags.data.length < 8 || dimensions?.type !== mi.int32) {
    throw new RangeError("an array without flags and dimensions");
  }
  let elements = 1;
  for (let at = 0; at + 4 <= dimensions.data.length; at += 4) {
    elements *= dimensions.data.readInt32LE(at);
  }
  return { class: flags.data[0]!, elements, name: name?.data.toString("latin1") ?? "", parts };
}

function textsOf({ class: kind, elements, name, parts }: Matrix): string[] {
  if (kind !== mx.cell) throw new RangeError(`${name} is no cell array`);
  if (parts.length !== elements) {
    throw new RangeError(`${name} has ${parts.length} cells, and should have ${elements}`);
  }
  return parts.map(({ type, data }) => {
    const cell = type === mi.matrix && data.length > 0 ? matrixOf(data) : undefined;
    if (cell?.class !== mx.char) throw new RangeError(`${name} has a cell that is no text`);
    const [letters] = cell.parts;
    if (letters === undefined) return "";
    const wide = letters.type === mi.uint16 || letters.type === mi.utf16;
    return letters.data.toString(wide ? "utf16le" : "utf8");
  });
}
