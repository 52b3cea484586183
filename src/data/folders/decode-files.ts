import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { ThawError } from "../../errors.ts";
import { type DecodedImage, decodeImage, type PixelRange } from "../images/decode.ts";

/**
 * Runs `body` on 0..count-1, several at a time: decoding happens in other threads.
 * The first error ends it.
 */
export async function inParallel(
  count: number,
  body: (index: number) => Promise<void>,
  atOnce = Math.max(2, availableParallelism()),
): Promise<void> {
  let next = 0;
  let failed = false;
  const work = async () => {
    while (next < count && !failed) {
      try {
        await body(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
}

/** Reads and decodes one file. @throws ThawError that names it. */
export async function decodeFile(
  path: string,
  pixelRange?: PixelRange | undefined,
): Promise<DecodedImage> {
  const advice = "`thaw data prepare` sets such files aside";
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new ThawError(`${path}: cannot be read: ${cause.message}`, { hint: advice, cause });
  });
  return decodeImage(bytes, path, { pixelRange }).catch((cause: Error) => {
    throw new ThawError(cause.message, { hint: (cause as ThawError).hint ?? advice, cause });
  });
}

/** Modes of Pillow that have one channel of brightness. */
export function isGrey({ mode }: Pick<DecodedImage, "mode">): boolean {
  return mode === "1" || mode === "L" || mode === "F" || mode.startsWith("I");
}
