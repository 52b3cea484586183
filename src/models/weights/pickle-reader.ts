import { ThawError } from "../../errors.ts";

/** Longer integers than this have no use in a checkpoint, and parsing them takes time. */
const MAX_LONG_BYTES = 256;
const MAX_LINE_BYTES = 1000;

/** The operands of a pickle's instructions. Every read is checked against the end. */
export class PickleReader {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;

  constructor(bytes: Uint8Array, name: string, position: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#name = name;
    this.position = position;
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** A length of eight bytes. One past 2^53 is no longer exact, but past the end all the same. */
  length8(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** Two's complement, little-endian; a bigint where a number would not be exact. */
  long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) throw this.damaged(`an integer of ${length} bytes`);
    const start = this.#advance(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) {
      value = (value << 8n) | BigInt(this.#bytes[start + i]!);
    }
    const signed = BigInt.asIntN(8 * length, value);
    const exact = Number(signed);
    return Number.isSafeInteger(exact) ? exact : signed;
  }

  text(length: number): string {
    const start = this.#advance(length);
    return decoder.decode(this.#bytes.subarray(start, start + length));
  }

  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Up to the next line feed, which is read too. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0 || end - this.position > MAX_LINE_BYTES)
      throw this.damaged("a name without an end");
    const text = this.text(end - this.position);
    this.position = end + 1;
    return text;
  }

  damaged(why: string): ThawError {
    return new ThawError(`${this.#name}: not a valid pickle: ${why} (byte ${this.position})`, {
      hint: "The file is damaged, truncated or of another format; fetch or write it again.",
    });
  }

  #advance(length: number): number {
    const start = this.position;
    if (length > this.#bytes.length - start) throw this.damaged("it ends within an instruction");
    this.position = start + length;
    return start;
  }
}

const decoder = new TextDecoder("utf-8");
