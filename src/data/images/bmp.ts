import { checkPixels, damaged } from "./decoded.ts";

interface Decoded {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] RGB. */
  readonly pixels: Uint8Array;
  readonly mode: string;
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Red, green, blue and alpha; of no use for palettes. */
  readonly masks: readonly [number, number, number, number];
  /** Where the pixels begin. */
  readonly offset: number;
  /** [colours, 3] RGB; empty where there is none. */
  readonly palette: Uint8Array;
}

const RAW = 0;
const RLE8 = 1;
const RLE4 = 2;
const BITFIELDS = 3;
const compressions: Readonly<Record<number, string>> = {
  4: "JPEG",
  5: "PNG",
  11: "CMYK",
  12: "CMYK",
  13: "CMYK",
};

/** Decodes a Windows or OS/2 bitmap as Pillow does: of 32 bits the last 8 are opacity only where a mask says so. */
export function decodeBmp(bytes: Uint8Array, where: string, maxPixels: number): Decoded {
  const header = readHeader(bytes, where);
  const { width, height, bits, compression } = header;
  checkPixels(width, height, where, maxPixels, bytes.length);
  if (compression === RLE8 || compression === RLE4) {
    if (bits !== (compression === RLE8 ? 8 : 4)) {
      throw damaged(where, `${bits} bits per pixel cannot be run-length encoded`);
    }
    return coloured(header, runs(bytes, header, where));
  }
  const stride = (((width * bits + 31) >>> 3) & ~3) >>> 0;
  if (header.offset + stride * height - (stride - Math.ceil((width * bits) / 8)) > bytes.length) {
    throw damaged(where, "the file is cut short");
  }
  return bits <= 8
    ? coloured(header, indices(bytes, header, stride))
    : direct(bytes, header, stride);
}

function readHeader(bytes: Uint8Array, where: string): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length < 26 ? 0 : view.getUint32(14, true);
  if (size === 0 || 14 + size > bytes.length) throw damaged(where, "the file is cut short");
  const isCore = size === 12;
  if (!isCore && ![40, 52, 56, 64, 108, 124].includes(size)) {
    throw damaged(where, `unknown BMP header of ${size} bytes`);
  }
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const rows = isCore ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(isCore ? 24 : 28, true);
  const compression = isCore ? RAW : view.getUint32(30, true);
  const height = Math.abs(rows);
  if (width <= 0 || height === 0) throw damaged(where, `its size is ${width} × ${rows}`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw damaged(where, `it has ${bits} bits per pixel`);
  if (![RAW, RLE8, RLE4, BITFIELDS].includes(compression)) {
    const what = compressions[compression] ?? `number ${compression}`;
    throw damaged(where, `its compression (${what}) is not supported`);
  }
  const masksAt = 14 + 40;
  const ownMasks = compression === BITFIELDS && size === 40 ? 12 : 0;
  const paletteAt = 14 + size + ownMasks;
  const entry = isCore ? 3 : 4;
  const colours = bits > 8 ? 0 : (isCore ? 0 : view.getUint32(46, true)) || 2 ** bits;
  if (colours > 65_536) throw damaged(where, `a palette of ${colours} colours`);
  if (paletteAt + colours * entry > bytes.length) throw damaged(where, "the file is cut short");
  const palette = new Uint8Array(colours * 3);
  for (let i = 0; i < colours; i++) {
    for (let c = 0; c < 3; c++) palette[3 * i + c] = bytes[paletteAt + i * entry + 2 - c]!;
  }
  const stated = view.getUint32(10, true);
  return {
    width,
    height,
    topDown: rows < 0,
    bits,
    compression,
    masks: masksOf(view, { bits, compression, size }, masksAt, where),
    // Some writers forget the palette that lies between.
    offset:
      stated < paletteAt + colours * entry && bits <= 8 ? paletteAt + colours * entry : stated,
    palette,
  };
}

function masksOf(
  view: DataView,
  { bits, compression, size }: { bits: number; compression: number; size: number },
  at: number,
  where: string,
): Header["masks"] {
  if (compression !== BITFIELDS) {
    return bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
  }
  if (bits !== 16 && bits !== 32 && bits !== 24)
    throw damaged(where, "it has both a palette and colour masks");
  if (at + 12 > view.byteLength) throw damaged(where, "the file is cut short");
  const mask = (i: number) => view.getUint32(at + 4 * i, true);
  const masks = [mask(0), mask(1), mask(2), size >= 56 ? mask(3) : 0] as const;
  if (masks.every((value) => value === 0)) return [0xff0000, 0xff00, 0xff, 0xff000000];
  for (const value of masks) {
    const bitsOfMask = value.toString(2).replace(/0+$/, "");
    if (bitsOfMask.includes("0") || bitsOfMask.length > 16)
      throw damaged(where, "its colour masks are not contiguous");
  }
  return masks;
}

/** [height, width], upright, of a palette. */
function indices(bytes: Uint8Array, header: Header, stride: number): Uint8Array {
  const { width, height, bits, offset, topDown } = header;
  const result = new Uint8Array(width * height);
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  for (let y = 0; y < height; y++) {
    const row = offset + (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++) {
      const byte = bytes[row + Math.floor(x / perByte)]!;
      result[y * width + x] = (byte >> (8 - bits * ((x % perByte) + 1))) & mask;
    }
  }
  return result;
}

/** [height, width], upright, of a run-length encoded palette. Runs past a row's end are cut off there. */
function runs(bytes: Uint8Array, header: Header, where: string): Uint8Array {
  const { width, height, compression, topDown } = header;
  const total = width * height;
  const isNibbles = compression === RLE4;
  const read = new Uint8Array(total);
  let at = header.offset;
  let to = 0;
  let x = 0;
  const put = (value: number) => {
    if (to < total) read[to++] = value;
  };
  while (to < total) {
    if (at + 2 > bytes.length) throw damaged(where, "the file is cut short");
    const [count, code] = [bytes[at]!, bytes[at + 1]!];
    at += 2;
    if (count > 0) {
      const fitting = Math.min(count, Math.max(0, width - x));
      for (let i = 0; i < fitting; i++) {
        put(isNibbles ? (i % 2 === 0 ? code >> 4 : code & 15) : code);
      }
      x += fitting;
    } else if (code === 0) {
      to = Math.ceil(to / width) * width;
      x = 0;
    } else if (code === 1) {
      throw damaged(where, "its pixel data end too early");
    } else if (code === 2) {
      if (at + 2 > bytes.length) throw damaged(where, "the file is cut short");
      const [right, up] = [bytes[at]!, bytes[at + 1]!];
      to += right + up * width;
      x += right;
      if (x > width || to > total)
        throw damaged(where, "its pixel data run past the edge of the image");
      at += 2;
    } else {
      const length = isNibbles ? (code + 1) >> 1 : code;
      if (at + length > bytes.length) throw damaged(where, "the file is cut short");
      if (x + code > width) throw damaged(where, "its pixel data run past the edge of the image");
      for (let i = 0; i < code; i++) {
        const byte = bytes[at + (isNibbles ? i >> 1 : i)]!;
        put(isNibbles ? (i % 2 === 0 ? byte >> 4 : byte & 15) : byte);
      }
      x += code;
      at += length + (length % 2);
    }
  }
  if (topDown) return read;
  const upright = new Uint8Array(total);
  for (let y = 0; y < height; y++) {
    upright.set(read.subarray(y * width, (y + 1) * width), (height - 1 - y) * width);
  }
  return upright;
}

/** An index beyond the palette is black. */
function coloured({ width, height, palette }: Header, picked: Uint8Array): Decoded {
  const pixels = new Uint8Array(picked.length * 3);
  for (let i = 0; i < picked.length; i++) {
    const from = picked[i]! * 3;
    pixels[3 * i] = palette[from] ?? 0;
    pixels[3 * i + 1] = palette[from + 1] ?? 0;
    pixels[3 * i + 2] = palette[from + 2] ?? 0;
  }
  return { width, height, pixels, mode: paletteMode(palette) };
}

/** Pillow's: a palette of all greys in order is none. */
function paletteMode(palette: Uint8Array): string {
  const colours = palette.length / 3;
  const isGrey = palette.every(
    (value, i) => value === (colours === 2 ? 255 : 1) * Math.floor(i / 3),
  );
  return !isGrey ? "P" : colours === 2 ? "1" : "L";
}

/** Pixels of 16, 24 and 32 bits; transparency on white. */
function direct(bytes: Uint8Array, header: Header, stride: number): Decoded {
  const { width, height, bits, offset, topDown, masks } = header;
  const pixels = new Uint8Array(width * height * 3);
  const fields = masks.map((mask) => {
    const low = mask === 0 ? 0 : Math.log2((mask & -mask) >>> 0);
    return { mask, low, most: mask === 0 ? 1 : mask / 2 ** low };
  });
  const [, , , alpha] = fields as [unknown, unknown, unknown, (typeof fields)[number]];
  const step = bits / 8;
  for (let y = 0; y < height; y++) {
    let from = offset + (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++, from += step) {
      let value = bytes[from]! | (bytes[from + 1]! << 8);
      if (step > 2) value |= bytes[from + 2]! << 16;
      if (step > 3) value |= bytes[from + 3]! << 24;
      const opacity = alpha.mask === 0 ? 255 : part(value, alpha);
      for (let c = 0; c < 3; c++) {
        const colour = part(value, fields[c]!);
        pixels[(y * width + x) * 3 + c] = 255 - Math.round(((255 - colour) * opacity) / 255);
      }
    }
  }
  return { width, height, pixels, mode: alpha.mask === 0 ? "RGB" : "RGBA" };
}

/** A field of a pixel on 8 bits, cut off as Pillow does. */
function part(
  value: number,
  { mask, low, most }: { mask: number; low: number; most: number },
): number {
  const field = (value & mask) >>> low;
  return most === 255 ? field : Math.floor((field * 255) / most);
}
