import type { SampleKind } from "./levels.ts";

/** What the first page of a TIFF says of its samples. */
export interface TiffHeader {
  readonly bits: number;
  readonly kind: SampleKind | "other";
  readonly hasPalette: boolean;
  /** The largest value that counts as used, where that is a range: 2^n - 1. */
  readonly said: number | undefined;
  /** Pages beside reduced ones, as far as they were counted. */
  readonly pages: number;
  /** The first page alone, its signed integers called unsigned: libvips would cut off what is below 0. */
  readonly firstPage: Uint8Array;
}

const BITS_PER_SAMPLE = 258;
const PHOTOMETRIC = 262;
const MAX_SAMPLE_VALUE = 281;
const SAMPLE_FORMAT = 339;
const S_MAX_SAMPLE_VALUE = 341;
const NEW_SUBFILE_TYPE = 254;
const PALETTE = 3;
const REDUCED = 1;

const kinds: readonly (SampleKind | "other")[] = ["unsigned", "unsigned", "signed", "float"];

/** More are not counted: every one of them would be walked through. */
const MOST_PAGES = 1_000;
const MOST_ENTRIES = 1_000;

/** Undefined where the first directory cannot be read: libtiff says what is wrong. */
export function tiffHeader(bytes: Uint8Array): TiffHeader | undefined {
  const reader = new DirectoryReader(bytes);
  const first = reader.directory(reader.first);
  if (first === undefined) return undefined;
  const number = (tag: number) => reader.values(first, tag)[0];
  const format = number(SAMPLE_FORMAT) ?? 1;
  const kind = kinds[format] ?? "other";
  const bits = number(BITS_PER_SAMPLE) ?? 1;
  return {
    bits,
    kind,
    hasPalette: number(PHOTOMETRIC) === PALETTE,
    said: saidRange(bits, [number(S_MAX_SAMPLE_VALUE), number(MAX_SAMPLE_VALUE)]),
    pages: reader.countPages(),
    firstPage: reader.firstPage(first, kind === "signed"),
  };
}

/**
 * The file's largest value, where it is a range and not the brightest pixel that its writer found: scaled by that, each
 * image would have a scale of its own.
 */
function saidRange(bits: number, candidates: readonly (number | undefined)[]): number | undefined {
  return candidates.find(
    (value) =>
      value !== undefined &&
      value >= 255 &&
      value < 2 ** bits &&
      Number.isInteger(Math.log2(value + 1)),
  );
}

interface Entry {
  readonly type: number;
  readonly count: number;
  /** Where its values lie. */
  readonly at: number;
}

interface Directory {
  readonly entries: ReadonlyMap<number, Entry>;
  /** Where the place of the next directory stands. */
  readonly nextAt: number;
  readonly next: number;
}

/** Bytes of a value, by type. */
const sizes: Readonly<Record<number, number>> = {
  1: 1,
  3: 2,
  4: 4,
  8: 2,
  9: 4,
  11: 4,
  12: 8,
  16: 8,
};

/** Directories of a TIFF or a BigTIFF. Never reads past the file. */
class DirectoryReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #big: boolean;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = bytes[0] === 0x49;
    this.#big = bytes.length >= 4 && this.#view.getUint16(2, this.#little) === 43;
  }

  get first(): number {
    return this.#offset(this.#big ? 8 : 4);
  }

  directory(at: number): Directory | undefined {
    const [head, size, tail] = this.#big ? [8, 20, 8] : [2, 12, 4];
    if (at < 8 || !this.#has(at, head)) return undefined;
    const count = this.#big ? this.#offset(at) : this.#view.getUint16(at, this.#little);
    const nextAt = at + head + count * size;
    if (count > MOST_ENTRIES || !this.#has(nextAt, tail)) return undefined;
    const entries = new Map<number, Entry>();
    for (let i = 0; i < count; i++) {
      const start = at + head + i * size;
      const tag = this.#view.getUint16(start, this.#little);
      const type = this.#view.getUint16(start + 2, this.#little);
      const values = this.#big
        ? this.#offset(start + 4)
        : this.#view.getUint32(start + 4, this.#little);
      const inline = start + (this.#big ? 12 : 8);
      const isInline = values * (sizes[type] ?? 1) <= tail;
      entries.set(tag, { type, count: values, at: isInline ? inline : this.#offset(inline) });
    }
    return { entries, nextAt, next: this.#offset(nextAt) };
  }

  /** At most eight: one of each channel is as much as anybody asks for. */
  values({ entries }: Directory, tag: number): number[] {
    const entry = entries.get(tag);
    const size = entry && sizes[entry.type];
    if (entry === undefined || size === undefined) return [];
    const count = Math.min(8, entry.count);
    if (!this.#has(entry.at, count * size)) return [];
    return Array.from({ length: count }, (_, i) => this.#value(entry.type, entry.at + i * size));
  }

  countPages(): number {
    const seen = new Set<number>();
    let pages = 0;
    for (let at = this.first; seen.size < MOST_PAGES && !seen.has(at); ) {
      seen.add(at);
      const found = this.directory(at);
      if (found === undefined) break;
      if (((this.values(found, NEW_SUBFILE_TYPE)[0] ?? 0) & REDUCED) === 0) pages++;
      at = found.next;
    }
    return pages;
  }

  firstPage(first: Directory, isSigned: boolean): Uint8Array {
    if (first.next === 0 && !isSigned) return this.#bytes;
    const copy = Uint8Array.from(this.#bytes);
    copy.fill(0, first.nextAt, first.nextAt + (this.#big ? 8 : 4));
    const format = first.entries.get(SAMPLE_FORMAT);
    if (isSigned && format?.type === 3) {
      const view = new DataView(copy.buffer);
      for (let i = 0; i < Math.min(8, format.count) && this.#has(format.at, 2 * i + 2); i++) {
        view.setUint16(format.at + 2 * i, 1, this.#little);
      }
    }
    return copy;
  }

  #value(type: number, at: number): number {
    const little = this.#little;
    if (type === 1) return this.#bytes[at]!;
    if (type === 3) return this.#view.getUint16(at, little);
    if (type === 8) return this.#view.getInt16(at, little);
    if (type === 9) return this.#view.getInt32(at, little);
    if (type === 11) return this.#view.getFloat32(at, little);
    if (type === 12) return this.#view.getFloat64(at, little);
    return type === 16
      ? Number(this.#view.getBigUint64(at, little))
      : this.#view.getUint32(at, little);
  }

  /** A place in the file; 0, which is none, where that is past the end. */
  #offset(at: number): number {
    if (!this.#has(at, this.#big ? 8 : 4)) return 0;
    return this.#big
      ? Number(this.#view.getBigUint64(at, this.#little))
      : this.#view.getUint32(at, this.#little);
  }

  #has(at: number, length: number): boolean {
    return at >= 0 && at + length <= this.#bytes.length;
  }
}
