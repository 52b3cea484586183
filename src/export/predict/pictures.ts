import { readFile, stat } from "node:fs/promises";
import { fitPicture, type ImageFit } from "../../data/files/fit.ts";
import { decodeImage, PixelBuffer } from "../../data/images/decode.ts";
import type { DecodedImage } from "../../data/images/decoded.ts";
import { luma } from "../../data/info/thumbnail.ts";
import { ThawError } from "../../errors.ts";
import type { NetworkInput } from "../../run/input.ts";

/** Reads pictures as the network sees them: uint8 [H, W, C]. */
export class PictureReader {
  readonly #input: NetworkInput;
  readonly #scratch = new PixelBuffer();

  constructor(input: NetworkInput) {
    this.#input = input;
  }

  /** @throws ThawError that names a file that is damaged, gone, or of a size that is not taken. */
  async read(path: string): Promise<Uint8Array> {
    const { channels } = this.#input;
    const picture = await decodeImage(await contentOf(path), path, { scratch: this.#scratch });
    const fitted = this.#fit(picture, path);
    return channels === 3 ? fitted : luma(fitted);
  }

  #fit(picture: DecodedImage, path: string): Uint8Array {
    const { height, width, interpolation, cropPct } = this.#input;
    const length = height * width * 3;
    if (interpolation === undefined || cropPct === undefined) {
      if (picture.width === width && picture.height === height)
        return picture.pixels.slice(0, length);
      throw new ThawError(
        `${path}: it has ${picture.height}×${picture.width} pixels, and the model takes ${height}×${width} as they are`,
      );
    }
    const fit: ImageFit = {
      size: [height, width],
      interpolation,
      crop: { kind: "center", pct: cropPct },
    };
    const to = new Uint8Array(length);
    fitPicture(picture, fit, to, () => {
      throw new Error("nothing is drawn");
    });
    return to;
  }
}

async function contentOf(path: string): Promise<Uint8Array> {
  try {
    // A pipe or a device could be waited for for ever.
    if (!(await stat(path)).isFile()) throw new Error("it is no regular file");
    return await readFile(path);
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT"
        ? "it is not there"
        : (cause as Error).message;
    throw new ThawError(`${path}: cannot be read: ${why}`, { cause });
  }
}
