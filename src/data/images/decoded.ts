import { ThawError } from "../../errors.ts";
import { DamagedFileError } from "../formats/damaged.ts";
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
}

/** Pillow warns above this number: a quarter of a gigabyte in RGB. */
export const MAX_PIXELS = 89_478_485;

/** @throws ThawError for a picture of more than `most` pixels. */
export function checkPixels(width: number, height: number, where: string, most: number): void {
  if (width * height <= most) return;
  throw new ThawError(
    `${where}: ${width} × ${height} pixels are more than the ${most.toLocaleString("en-US")} that are decoded`,
    { hint: "a small file that claims to be so large may be meant to exhaust memory" },
  );
}

export function damaged(where: string, why: string, cause?: unknown): DamagedFileError {
  return new DamagedFileError(`${where}: cannot be decoded: ${why}`, { cause });
}
