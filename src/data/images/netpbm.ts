import { checkPixels, damaged } from "./decoded.ts";
import { type Depth, type RangeChoice, toLevels } from "./levels.ts";

interface Decoded {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] RGB. */
  readonly pixels: Uint8Array;
  readonly mode: string;
  readonly depth?: Depth;
}

/** A number in a header or among pixels has fewer digits than that. */
const MOST_DIGITS = 10;

/** Decodes PBM, PGM and PPM, as text (P1 to P3) or binary (P4 to P6). The largest value that the file says is white. */
export function decodeNetpbm(
  bytes: Uint8Array,
  where: string,
  {
    maxPixels,
    pixelRange,
  }: { readonly maxPixels: number; readonly pixelRange?: RangeChoice | undefined },
): Decoded {
  const reader = new Tokens(bytes, where);
  const number = bytes[1]! - 0x30;
  const kind = ((number - 1) % 3) + 1;
  const isText = number <= 3;
  const [width, height] = [reader.number(), reader.number()];
  if (width === 0 || height === 0) throw damaged(where, `its size is ${width} × ${height}`);
  const white = kind === 1 ? 1 : reader.number();
  if (white < 1 || white > 65_535) throw damaged(where, `its largest value is ${white}`);
  checkPixels(width, height, where, maxPixels, bytes.length);
  const channels = kind === 3 ? 3 : 1;
  const count = width * height * channels;
  // A digit and a blank a number at least, but in a picture of bits.
  if (isText && bytes.length - reader.at < (kind === 1 ? count : 2 * count - 1)) {
    throw damaged(where, "the file is cut short");
  }
  if (kind === 1) {
    const bits = isText
      ? reader.bits(count)
      : packedBits(bytes, reader.at, { width, height }, where);
    return { width, height, pixels: tripled(bits.map((bit) => (bit === 1 ? 0 : 255))), mode: "1" };
  }
  const grey = (values: Uint8Array) => (channels === 3 ? values : tripled(values));
  if (white <= 255) {
    const samples = isText ? reader.samples(count, white) : binary(bytes, reader.at, count, where);
    const table = Uint8Array.from({ length: 256 }, (_, i) =>
      Math.min(255, Math.round((i * 255) / white)),
    );
    const levels = Uint8Array.from(samples, (value) => table[value]!);
    return { width, height, pixels: grey(levels), mode: channels === 3 ? "RGB" : "L" };
  }
  const samples = isText ? reader.samples(count, white) : wide(bytes, reader.at, count, where);
  const said = white < 65_535 ? white : undefined;
  const reading = {
    samples,
    kind: "unsigned",
    bits: 16,
    channels,
    said,
    given: pixelRange,
  } as const;
  const { pixels, depth } = toLevels(reading, where);
  return { width, height, pixels: grey(pixels), mode: channels === 3 ? "RGB" : "I", depth };
}

/** Numbers between blanks and comments. */
class Tokens {
  at = 2;
  readonly #bytes: Uint8Array;
  readonly #where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes;
    this.#where = where;
  }

  /** The next number, and the one blank behind it. */
  number(): number {
    this.#skip();
    let value = 0;
    let digits = 0;
    for (; isDigit(this.#bytes[this.at]); this.at++) {
      value = value * 10 + this.#bytes[this.at]! - 0x30;
      if (++digits > MOST_DIGITS) throw damaged(this.#where, "a number has too many digits");
    }
    if (digits === 0) {
      const why = this.at >= this.#bytes.length ? "the file is cut short" : "a number is missing";
      throw damaged(this.#where, why);
    }
    this.at++;
    return value;
  }

  samples(count: number, white: number): Uint16Array {
    const result = new Uint16Array(count);
    for (let i = 0; i < count; i++) {
      const value = this.number();
      if (value > white)
        throw damaged(this.#where, `a value of ${value} is above the maximum, ${white}`);
      result[i] = value;
    }
    return result;
  }

  /** Blanks between them may be left out. */
  bits(count: number): Uint8Array {
    const result = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      this.#skip();
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw damaged(this.#where, "the file is cut short");
      if (byte !== 0x30 && byte !== 0x31)
        throw damaged(this.#where, "a bit that is neither 0 nor 1");
      result[i] = byte - 0x30;
    }
    return result;
  }

  #skip(): void {
    for (; this.at < this.#bytes.length; this.at++) {
      const byte = this.#bytes[this.at]!;
      if (byte === 0x23) {
        while (this.at < this.#bytes.length && !isLineEnd(this.#bytes[this.at]!)) this.at++;
      } else if (!isBlank(byte)) return;
    }
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function isLineEnd(byte: number): boolean {
  return byte === 0x0a || byte === 0x0d;
}

function packedBits(
  bytes: Uint8Array,
  at: number,
  { width, height }: { width: number; height: number },
  where: string,
): Uint8Array {
  const stride = Math.ceil(width / 8);
  if (at + stride * height > bytes.length) throw damaged(where, "the file is cut short");
  const result = new Uint8Array(width * height);
  for (let i = 0; i < result.length; i++) {
    const x = i % width;
    const byte = bytes[at + Math.floor(i / width) * stride + (x >> 3)]!;
    result[i] = (byte >> (7 - (x & 7))) & 1;
  }
  return result;
}

function binary(bytes: Uint8Array, at: number, length: number, where: string): Uint8Array {
  if (at + length > bytes.length) throw damaged(where, "the file is cut short");
  return bytes.subarray(at, at + length);
}

/** Two bytes a sample are big-endian. */
function wide(bytes: Uint8Array, at: number, count: number, where: string): Uint16Array {
  const own = binary(bytes, at, 2 * count, where);
  return Uint16Array.from({ length: count }, (_, i) => (own[2 * i]! << 8) | own[2 * i + 1]!);
}

function tripled(values: Uint8Array): Uint8Array {
  const result = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) result.fill(values[i]!, 3 * i, 3 * i + 3);
  return result;
}
