import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isGrey } from "../folders/decode-files.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { type DecodedImage, decodeImage, PixelBuffer } from "../images/decode.ts";
import { areaResize, luma, THUMB } from "../info/thumbnail.ts";

/** What a file turned out to be. */
export type Examined =
  | {
      readonly kind: "image";
      readonly bytes: number;
      readonly width: number;
      readonly height: number;
      readonly format: string;
      /** Pillow's name. */
      readonly mode: string;
      /** sha256 of the file. */
      readonly sha256: string;
      /** sha256 of the decoded size and pixels: equal in copies of another format or metadata. */
      readonly pixels: string;
    }
  | { readonly kind: "damaged"; readonly reason: string };

/** What `thaw data info` adds up over images. */
export interface PixelSummary {
  /** [28, 28], grey. */
  readonly thumbnail: Uint8Array;
  /** Over the pixels of each channel. */
  readonly sums: readonly number[];
  readonly squares: readonly number[];
  readonly grey: boolean;
}

export interface Examination {
  readonly examined: Examined;
  /** Of an image, where it was asked for. */
  readonly summary?: PixelSummary;
}

export interface ExamineOptions {
  /** Thumbnails and sums of the pixels, too. */
  readonly summaries: boolean;
}

/** Examines files one after the other. What cannot be read or decoded is an answer, no error. */
export class Examiner {
  readonly #options: ExamineOptions;
  #scratch: PixelBuffer | undefined = new PixelBuffer();

  constructor(options: ExamineOptions) {
    this.#options = options;
  }

  async examine(path: string): Promise<Examination> {
    // While another file is being examined its pixels are in use.
    const scratch = this.#scratch;
    this.#scratch = undefined;
    try {
      const file = await readFile(path);
      // That a training will need a range of an image is no fault of it.
      const options = { pixelRange: "extent", ...(scratch && { scratch }) } as const;
      const image = await decodeImage(file, "", options);
      const { width, height, format, mode } = image;
      const examined: Examined = {
        kind: "image",
        bytes: file.length,
        width,
        height,
        format,
        mode,
        sha256: createHash("sha256").update(file).digest("hex"),
        pixels: pixelHash(image),
      };
      return this.#options.summaries ? { examined, summary: summarise(image) } : { examined };
    } catch (error) {
      return { examined: { kind: "damaged", reason: reasonOf(error as Error) } };
    } finally {
      this.#scratch ??= scratch;
    }
  }
}

/** One line, and without the name, which stands beside it. */
function reasonOf(error: Error): string {
  const what = error.message.split("\n")[0]!.replace(/^: /, "");
  const hint = error instanceof DamagedFileError ? error.hint : undefined;
  return hint === undefined ? what : `${what} (${hint.split(":")[0]})`;
}

function summarise(image: DecodedImage): PixelSummary {
  const { pixels, width, height } = image;
  const sums = [0, 0, 0];
  const squares = [0, 0, 0];
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    let square = 0;
    for (let i = channel; i < pixels.length; i += 3) {
      const value = pixels[i]!;
      sum += value;
      square += value * value;
    }
    sums[channel] = sum;
    squares[channel] = square;
  }
  const thumbnail = areaResize({ values: luma(pixels), width, height }, THUMB, THUMB);
  return { thumbnail, sums, squares, grey: isGrey(image) };
}

/** sha256 of size and pixels. */
export function pixelHash({
  width,
  height,
  pixels,
}: Pick<DecodedImage, "width" | "height" | "pixels">): string {
  return createHash("sha256").update(`${width}x${height}\0`).update(pixels).digest("hex");
}
