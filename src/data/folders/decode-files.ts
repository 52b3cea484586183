import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { ThawError } from "../../errors.ts";
import type { FileImageSet } from "../fileset.ts";
import { type DecodedImage, decodeImage } from "../images/decode.ts";
import type { ImageSet } from "../imageset.ts";

/** Images larger than this stay in their files. */
export const SMALL_SIDE = 64;

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

/**
 * The images of file sets in memory, if all are of one small size: [count, 1 or 3, H, W]. One channel
 * if all are greyscale. Undefined where they are larger or differ.
 * @throws ThawError that names a file that cannot be decoded.
 */
export async function decodeSmall(sets: readonly FileImageSet[]): Promise<ImageSet[] | undefined> {
  const first = sets.find(({ count }) => count > 0);
  if (first === undefined) return undefined;
  const { width, height } = await decodeFile(first.files[0]!);
  if (Math.max(width, height) > SMALL_SIDE) return undefined;
  const plane = width * height;
  const decoded: ImageSet[] = [];
  let uniform = true;
  let grey = true;
  for (const { files, labels, count, classes, indices } of sets) {
    const images = new Uint8Array(count * 3 * plane);
    await inParallel(count, async (row) => {
      if (!uniform) return;
      const image = await decodeFile(files[row]!);
      uniform &&= image.width === width && image.height === height;
      if (!uniform) return;
      grey &&= isGrey(image);
      planar(image, images.subarray(row * 3 * plane, (row + 1) * 3 * plane));
    });
    if (!uniform) return undefined;
    decoded.push({
      images,
      labels,
      count,
      channels: 3,
      height,
      width,
      classes,
      ...(indices && { indices }),
    });
  }
  return grey ? decoded.map(firstChannel) : decoded;
}

/** Reads and decodes one file. @throws ThawError that names it. */
async function decodeFile(path: string): Promise<DecodedImage> {
  const advice = "`thaw data prepare` sets such files aside";
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new ThawError(`${path}: cannot be read: ${cause.message}`, { hint: advice, cause });
  });
  return decodeImage(bytes, path).catch((cause: Error) => {
    throw new ThawError(cause.message, { hint: advice, cause });
  });
}

/** Modes of Pillow that have one channel of brightness. */
export function isGrey({ mode }: Pick<DecodedImage, "mode">): boolean {
  return mode === "1" || mode === "L" || mode.startsWith("I");
}

/** [H, W, 3] → [3, H, W] */
function planar({ pixels, width, height }: DecodedImage, to: Uint8Array): void {
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    to[i] = pixels[3 * i]!;
    to[plane + i] = pixels[3 * i + 1]!;
    to[2 * plane + i] = pixels[3 * i + 2]!;
  }
}

function firstChannel(set: ImageSet): ImageSet {
  const plane = set.width * set.height;
  const images = new Uint8Array(set.count * plane);
  for (let row = 0; row < set.count; row++) {
    images.set(set.images.subarray(row * 3 * plane, (row * 3 + 1) * plane), row * plane);
  }
  return { ...set, images, channels: 1 };
}
