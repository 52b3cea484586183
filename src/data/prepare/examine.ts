import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type DecodedImage, decodeImage } from "../images/decode.ts";

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

/**
 * Reads and decodes one file; `seen` gets the pixels. What cannot be read or decoded is an answer, no
 * error.
 */
export async function examineFile(
  path: string,
  seen?: (image: DecodedImage) => void,
): Promise<Examined> {
  try {
    const file = await readFile(path);
    if (file.length === 0) return { kind: "damaged", reason: "empty" };
    const image = await decodeImage(file, "");
    seen?.(image);
    const { width, height, format, mode } = image;
    return {
      kind: "image",
      bytes: file.length,
      width,
      height,
      format,
      mode,
      sha256: createHash("sha256").update(file).digest("hex"),
      pixels: pixelHash(image),
    };
  } catch (error) {
    // One line, and without the name, which stands beside it.
    const reason = (error as Error).message.split("\n")[0]!.replace(/^: /, "");
    return { kind: "damaged", reason };
  }
}

/** sha256 of size and pixels. */
export function pixelHash({
  width,
  height,
  pixels,
}: Pick<DecodedImage, "width" | "height" | "pixels">): string {
  return createHash("sha256").update(`${width}x${height}\0`).update(pixels).digest("hex");
}
