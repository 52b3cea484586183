import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { ThawError } from "../../errors.ts";
import { decodeImage, PixelBuffer, type PixelRange } from "../images/decode.ts";
import { checkStamp } from "./stamp.ts";

const depthSchema = z.object({
  kind: z.enum(["unsigned", "signed", "float"]),
  bits: z.int(),
  most: z.number().nullable(),
  from: z.enum(["given", "extent", "file", "type"]),
});

export const goodFileSchema = z.object({
  /** Equal in files that hold the same picture: its only colour, or a digest of the decoded pixels. */
  look: z.string(),
  /** Of a TIFF with more than one. */
  pages: z.int().optional(),
  /** Of more than 8 bits a sample. */
  depth: depthSchema.optional(),
});

/** What is to be known of a file that can be decoded. */
export type GoodFile = z.output<typeof goodFileSchema>;

export type CheckedFile =
  | ({ readonly kind: "good" } & GoodFile)
  | { readonly kind: "bad"; readonly reason: string; readonly hint?: string | undefined };

/** Reads and decodes files as training will; a JPEG at an eighth of its size, which reads every byte of it all the same. */
export class FileChecker {
  readonly #pixelRange: PixelRange | undefined;
  #scratch: PixelBuffer | undefined = new PixelBuffer();

  constructor({ pixelRange }: { readonly pixelRange?: PixelRange | undefined } = {}) {
    this.#pixelRange = pixelRange;
  }

  async check(path: string, stamp: string): Promise<CheckedFile> {
    // While another file is being decoded its pixels are in use.
    const scratch = this.#scratch;
    this.#scratch = undefined;
    try {
      const bytes = readWhole(path);
      checkStamp(path, bytes, stamp);
      const { width, height, pixels, pages, depth } = await decodeImage(bytes, path, {
        atLeast: [1, 1],
        pixelRange: this.#pixelRange,
        ...(scratch && { scratch }),
      });
      const own = pixels.subarray(0, width * height * 3);
      const most = depth && (Number.isFinite(depth.most) ? depth.most : null);
      return {
        kind: "good",
        look: lookOf(own, width, height),
        ...(pages !== undefined && pages > 1 && { pages }),
        ...(depth && {
          depth: { kind: depth.kind, bits: depth.bits, most: most!, from: depth.from },
        }),
      };
    } catch (error) {
      // Whatever else is thrown is no property of the file.
      if (!(error instanceof ThawError)) throw error;
      return { kind: "bad", reason: error.message.replace(`${path}: `, ""), hint: error.hint };
    } finally {
      this.#scratch ??= scratch;
    }
  }
}

function readWhole(path: string): Uint8Array {
  try {
    // A pipe or a device could be waited for for ever.
    if (!statSync(path).isFile()) throw new Error("it is not a regular file");
    return readFileSync(path);
  } catch (cause) {
    const gone = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const why = gone ? "it no longer exists" : (cause as Error).message;
    throw new ThawError(`${path}: cannot be read: ${why}`, { cause });
  }
}

function lookOf(pixels: Uint8Array, width: number, height: number): string {
  const [red, green, blue] = pixels;
  let isFlat = true;
  for (let i = 3; i < pixels.length && isFlat; i += 3) {
    isFlat = pixels[i] === red && pixels[i + 1] === green && pixels[i + 2] === blue;
  }
  if (isFlat) return `rgb ${red} ${green} ${blue}`;
  return createHash("sha1").update(`${width}x${height}`).update(pixels).digest("hex").slice(0, 16);
}
