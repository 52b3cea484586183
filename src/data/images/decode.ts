import { turboJpeg } from "../../tensor/index.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { decodeBmp } from "./bmp.ts";
import { decodeBySharp } from "./by-sharp.ts";
import { checkPixels, checkScans, type DecodedImage, damaged, MAX_PIXELS } from "./decoded.ts";
import { hasEndOfImage, jpegOrientation } from "./jpeg-markers.ts";
import type { RangeChoice } from "./levels.ts";
import { decodeNetpbm } from "./netpbm.ts";
import { orient } from "./orient.ts";
import { hasPngEnd } from "./png-chunks.ts";
import { type ImageFormat, sniffFormat } from "./sniff.ts";

export { type DecodedImage, MAX_PIXELS } from "./decoded.ts";
export type { PixelRange } from "./levels.ts";

export interface DecodeOptions {
  /**
   * A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides [width, height] stay
   * at least this large. Quicker, and not what decoding whole and then resizing gives.
   */
  readonly atLeast?: readonly [width: number, height: number];
  /** More are refused before any memory is taken for them; default {@link MAX_PIXELS}. */
  readonly maxPixels?: number;
  /** Where the pixels may go if there is room; they are then valid until it is used again. */
  readonly scratch?: PixelBuffer;
  /** What becomes black and white in files of more than 8 bits a sample; others stay as they are. */
  readonly pixelRange?: RangeChoice | undefined;
}

/** Memory that is used again for picture after picture: fresh pages cost as much as a resize. */
export class PixelBuffer {
  #bytes = new Uint8Array(0);

  take(length: number): Uint8Array {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(Math.ceil(length * 1.25));
    return this.#bytes.subarray(0, length);
  }
}

/**
 * Decodes a JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP, PBM, PGM or PPM (the first frame of an animation, the first page),
 * turned upright by its EXIF orientation, as Pillow decodes it.
 * @throws DamagedFileError that names `where` for bytes that are cut short or are no such image;
 * ThawError for one with too many pixels.
 */
export async function decodeImage(
  bytes: Uint8Array,
  where: string,
  options: DecodeOptions = {},
): Promise<DecodedImage> {
  const format = formatOf(bytes, where);
  if (format === "png" && !hasPngEnd(bytes)) throw damaged(where, "the file is cut short");
  if (format === "jpeg" && turboJpeg() !== undefined) return decodeJpegSync(bytes, where, options);
  const { maxPixels = MAX_PIXELS, pixelRange } = options;
  if (format === "bmp") return { ...decodeBmp(bytes, where, maxPixels), format };
  if (format === "ppm") return { ...decodeNetpbm(bytes, where, { maxPixels, pixelRange }), format };
  return decodeBySharp(bytes, format, where, { maxPixels, pixelRange });
}

/** Can `bytes` be decoded by {@link decodeJpegSync}? */
export function isSyncJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && turboJpeg() !== undefined;
}

/**
 * {@link decodeImage} for a JPEG by libturbojpeg, on the thread that calls it and at its priority.
 * Only where `turboJpeg()` is there.
 */
export function decodeJpegSync(
  bytes: Uint8Array,
  where: string,
  options: DecodeOptions = {},
): DecodedImage {
  const { jpegHeader, decodeJpeg } = turboJpeg()!;
  const { maxPixels = MAX_PIXELS, scratch } = options;
  const { width: fullWidth, height: fullHeight, mode } = attempt(where, () => jpegHeader(bytes));
  checkPixels(fullWidth, fullHeight, where, maxPixels, bytes.length);
  checkScans(bytes, fullWidth * fullHeight, where);
  const orientation = jpegOrientation(bytes);
  const [width, height] = reduced(fullWidth, fullHeight, orientation >= 5, options.atLeast);
  const length = width * height * 3;
  const pixels = scratch?.take(length) ?? new Uint8Array(length);
  const warning = attempt(where, () => decodeJpeg(bytes, pixels, width, height));
  if (warning !== null && !hasEndOfImage(bytes)) throw damaged(where, "the file is cut short");
  return { ...orient({ width, height, pixels }, orientation), format: "jpeg", mode };
}

/** For people. */
const READ = "JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP, PBM, PGM and PPM";

function formatOf(bytes: Uint8Array, where: string): ImageFormat {
  if (bytes.length === 0) throw damaged(where, "the file is empty");
  const found = sniffFormat(bytes);
  if (found !== undefined && "format" in found) return found.format;
  const what = found === undefined ? "not an image" : found.refused;
  throw new DamagedFileError(`${where}: this is ${what}`, {
    hint: `supported formats: ${READ}; convert the file, or remove it`,
  });
}

function reduced(
  width: number,
  height: number,
  turned: boolean,
  atLeast: DecodeOptions["atLeast"],
): readonly [number, number] {
  if (atLeast === undefined) return [width, height];
  const [leastWidth, leastHeight] = turned ? [atLeast[1], atLeast[0]] : atLeast;
  for (const denominator of [8, 4, 2]) {
    const [w, h] = [Math.ceil(width / denominator), Math.ceil(height / denominator)];
    if (w >= leastWidth && h >= leastHeight) return [w, h];
  }
  return [width, height];
}

function attempt<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw damaged(where, (cause as Error).message, cause);
  }
}
