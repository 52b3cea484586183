import { ThawError } from "../../errors.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { hasMoreScans } from "./jpeg-markers.ts";
import type { Depth } from "./levels.ts";
import type { ImageFormat } from "./sniff.ts";

export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] RGB, 8 bits, upright, transparency on white. */
  readonly pixels: Uint8Array;
  /** What the file was, whatever it is called. */
  readonly format: ImageFormat;
  /** The file's colours in Pillow's words: "RGB", "L", "CMYK", "P", "RGBA", "I;16", … */
  readonly mode: string;
  /** Of files with more than 8 bits a sample. */
  readonly depth?: Depth;
  /** Of a TIFF: how many there are; the first is decoded. */
  readonly pages?: number;
}

/** Pillow warns above this number: a quarter of a gigabyte in RGB. */
export const MAX_PIXELS = 89_478_485;

/** A picture that is larger than this has to be in a file of some size. */
const LARGE = 2 ** 24;
/** No photograph, and no drawing that is not empty, has so many for each of its bytes. */
const MOST_PIXELS_A_BYTE = 10_000;

/**
 * Holds what a header claims against limits, before anything is decoded.
 * @param bytes Size of the file.
 * @throws ThawError for a picture of more than `most` pixels, and for a large one in a file of a few bytes.
 */
export function checkPixels(
  width: number,
  height: number,
  where: string,
  most: number,
  bytes: number,
): void {
  const count = width * height;
  const size = `${where}: ${width} × ${height} pixels`;
  const hint = "a small file that claims to be so large may be meant to exhaust memory";
  if (count > most) {
    const limit = most.toLocaleString("en-US");
    throw new ThawError(`${size}; at most ${limit} are decoded`, { hint });
  }
  if (count > LARGE && count > bytes * MOST_PIXELS_A_BYTE) {
    throw new ThawError(`${size} in a file of ${bytes} bytes: too many to decode`, { hint });
  }
}

/** Each scan of a JPEG goes through all of its pixels. Encoders make a dozen. */
const MOST_SCANNED = 2 ** 31;
/** No scan is shorter: its header alone takes so many bytes. */
const SCAN_BYTES = 10;

/** @throws ThawError for a JPEG of so many scans that it would be decoded for minutes. */
export function checkScans(bytes: Uint8Array, pixels: number, where: string): void {
  const most = Math.max(16, Math.floor(MOST_SCANNED / pixels));
  if (bytes.length < most * SCAN_BYTES || !hasMoreScans(bytes, most)) return;
  throw new ThawError(
    `${where}: a JPEG of ${pixels} pixels in more than ${most} scans is not decoded`,
    {
      hint: "no encoder makes so many: it may be meant to exhaust the machine",
    },
  );
}

export function damaged(where: string, why: string, cause?: unknown): DamagedFileError {
  return new DamagedFileError(`${where}: cannot be decoded: ${why}`, { cause });
}
