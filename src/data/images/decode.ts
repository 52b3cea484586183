import sharp from "sharp";
import { ThawError } from "../../errors.ts";

export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] RGB, 8 bits. */
  readonly pixels: Uint8Array;
  readonly format: string;
  /** Pillow's mode names. */
  readonly mode: string;
}

export async function decodeImage(
  bytes: Uint8Array,
  where: string,
  options: { atLeast?: readonly [number, number]; maxPixels?: number } = {},
): Promise<DecodedImage> {
  try {
    sharp.concurrency(1);
    const image = sharp(bytes, {
      failOn: "error",
      limitInputPixels: options.maxPixels ?? 178_956_970,
    });
    const { format, channels, hasAlpha } = await image.metadata();
    const { data, info } = await image
      .rotate()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const mode = channels === 1 ? "L" : channels === 2 ? "LA" : hasAlpha ? "RGBA" : "RGB";
    return { width: info.width, height: info.height, pixels: data, format, mode };
  } catch (cause) {
    throw new ThawError(`${where}: ${(cause as Error).message}`, { cause });
  }
}
