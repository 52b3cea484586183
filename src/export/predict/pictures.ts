import { readFile, stat } from "node:fs/promises";
import { sideBeforeCrop } from "../../data/files/fit.ts";
import { decodeImage, MAX_PIXELS, PixelBuffer } from "../../data/images/decode.ts";
import { cropBox } from "../../data/images/picture.ts";
import { luma } from "../../data/info/thumbnail.ts";
import { resizedTo } from "../../data/transforms/crops.ts";
import { ThawError } from "../../errors.ts";
import type { NetworkInput } from "../../run/input.ts";
import { resample } from "../../tensor/index.ts";
import { fittedBy } from "../fitted.ts";
import type { PictureBytes } from "./standard-input.ts";

/** uint8 [height, width, C]. */
export interface ReadPicture {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
}

export interface ReaderOptions {
  /** Pictures stay of their own size. */
  readonly whole?: boolean;
  /** Told once where a model of small images, all of one size, is given others. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** Reads pictures as the network sees them; of a grey network as Pillow's L. */
export class PictureReader {
  readonly #input: NetworkInput;
  readonly #options: ReaderOptions;
  readonly #scratch = new PixelBuffer();
  #isTold = false;

  constructor(input: NetworkInput, options: ReaderOptions = {}) {
    this.#input = input;
    this.#options = options;
  }

  /** @throws ThawError that names a file that is damaged or gone, or too long a strip to be resized whole. */
  async read(source: string | PictureBytes): Promise<ReadPicture> {
    const [path, bytes] =
      typeof source === "string" ? [source, await contentOf(source)] : [source.name, source.bytes];
    const { height, width, channels, interpolation, pixelRange } = this.#input;
    const { whole = false } = this.#options;
    const memory = { pixelRange, ...(!whole && { scratch: this.#scratch }) };
    const decoded = await decodeImage(bytes, path, memory);
    if (whole) this.#refuseStrip(path, decoded);
    const own = decoded.pixels.subarray(0, decoded.height * decoded.width * 3);
    const pixels = channels === 3 ? own : luma(own);
    const picture = { pixels, height: decoded.height, width: decoded.width };
    if (interpolation === undefined && (picture.height !== height || picture.width !== width)) {
      this.#tell(path, picture);
    }
    return whole ? picture : this.#fit(picture);
  }

  /** A graph resizes the whole before it cuts the middle out: of one row of pixels it would make gigabytes. */
  #refuseStrip(path: string, { height: h, width: w }: { height: number; width: number }): void {
    const { height, width } = this.#input;
    const shorter = sideBeforeCrop({ size: [height, width] }, fittedBy(this.#input).cropPct);
    const [tall, wide] = resizedTo([h, w], shorter);
    if (Math.max(tall, height) * Math.max(wide, width) <= MAX_PIXELS) return;
    throw new ThawError(
      `${path}: ${h}×${w} pixels, which a file with its preprocessing inside enlarges to ${tall}×${wide} before it cuts the middle out`,
      { hint: "cut it nearer to a square, or export without --with-preprocessing" },
    );
  }

  #fit({ pixels, height: h, width: w }: ReadPicture): ReadPicture {
    const { height, width, channels } = this.#input;
    const { interpolation, cropPct } = fittedBy(this.#input);
    const size = [height, width] as const;
    const to = new Uint8Array(height * width * channels);
    const box = cropBox([h, w], sideBeforeCrop({ size }, cropPct), size, "center");
    resample(pixels, [h, w], to, size, channels, box, interpolation);
    return { pixels: to, height, width };
  }

  #tell(path: string, { height: h, width: w }: ReadPicture): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { height, width } = this.#input;
    this.#options.onNote?.(
      `${path} has ${h}×${w} pixels, and the model knows images of ${height}×${width} alone: such are resized, their middle is seen`,
    );
  }
}

async function contentOf(path: string): Promise<Uint8Array> {
  try {
    // A pipe or a device could be waited for for ever.
    const found = await stat(path);
    if (found.isDirectory()) throw new Error("it is a folder whose entries cannot be read");
    if (!found.isFile()) throw new Error("it is not a regular file");
    return await readFile(path);
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT"
        ? "it is not there"
        : (cause as Error).message;
    throw new ThawError(`${path}: cannot be read: ${why}`, { cause });
  }
}
