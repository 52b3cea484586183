import { decodeFile, isGrey } from "../folders/decode-files.ts";
import type { PixelRange } from "../images/decode.ts";
import { type ImageSet, imageBytes, type SplitSet } from "../imageset.ts";

/** 8 bits a channel. */
interface Pixels {
  /** [height, width, channels] */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** An image as a PNG file: grey where it has one channel, else RGB; the same pixels, to the last bit. */
export interface PngFile {
  readonly bytes: Buffer;
  readonly width: number;
  readonly height: number;
}

/** One image of a split as a PNG file. @throws ThawError that names a file that cannot be decoded. */
export async function pngOf(set: SplitSet, row: number): Promise<PngFile> {
  const image =
    "files" in set ? await fromFile(set.files[row]!, set.pixelRange) : fromMemory(set, row);
  const { default: sharp } = await import("sharp");
  const { pixels, width, height } = image;
  const channels = image.channels as 1 | 3;
  const bytes = await sharp(pixels, { raw: { width, height, channels } })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .png({ compressionLevel: 9, adaptiveFiltering: false, palette: false })
    .toBuffer();
  return { bytes, width, height };
}

function fromMemory(set: ImageSet, row: number): Pixels {
  const { width, height, channels } = set;
  const size = imageBytes(set);
  const planes = set.images.subarray(row * size, (row + 1) * size);
  if (channels === 1) return { pixels: planes, width, height, channels };
  const plane = width * height;
  const pixels = new Uint8Array(size);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < channels; c++) pixels[i * channels + c] = planes[c * plane + i]!;
  }
  return { pixels, width, height, channels };
}

async function fromFile(path: string, pixelRange: PixelRange | undefined): Promise<Pixels> {
  const image = await decodeFile(path, pixelRange);
  const { width, height, pixels } = image;
  if (!isGrey(image)) return { pixels, width, height, channels: 3 };
  const grey = Uint8Array.from({ length: width * height }, (_, i) => pixels[3 * i]!);
  return { pixels: grey, width, height, channels: 1 };
}
