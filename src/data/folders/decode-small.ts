import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FileImageSet } from "../fileset.ts";
import type { DecodedImage } from "../images/decode.ts";
import type { ImageSet } from "../imageset.ts";
import { readSealed, writeSealed } from "../sealed.ts";
import { decodeFile, inParallel, isGrey } from "./decode-files.ts";

/** Images larger than this stay in their files. */
export const SMALL_SIDE = 64;

/** Fewer are decoded faster than anyone would notice. */
const WORTH_KEEPING = 2_000;

interface Header {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * As `decodeSmall`, but what was decoded before comes from Thaw's cache: under a key of the files'
 * paths and stamps, so that a changed file is decoded again.
 */
export async function loadSmall(
  sets: readonly FileImageSet[],
  cacheFolder: string,
  onProgress?: (done: number, total: number) => void,
): Promise<ImageSet[] | undefined> {
  const total = sets.reduce((sum, { count }) => sum + count, 0);
  if (total < WORTH_KEEPING) return decodeSmall(sets);
  const hash = createHash("sha256").update("small images 2");
  for (const { files, stamps, pixelRange } of sets) {
    hash.update(JSON.stringify([files, stamps, pixelRange]));
  }
  const path = join(cacheFolder, "decoded", `${hash.digest("hex")}.thawdata`);
  const sealed = readSealed(path, total * 3 * SMALL_SIDE * SMALL_SIDE);
  if (sealed) {
    const { channels, height, width } = sealed.header as Header;
    const size = channels * height * width;
    let at = 0;
    return sets.map(({ labels, count, classes, indices, pixelRange }) => {
      const images = sealed.payload.subarray(at, at + count * size);
      at += count * size;
      const own = { labels, count, classes, ...(indices && { indices }), pixelRange };
      return { images, channels, height, width, ...own };
    });
  }
  const decoded = await decodeSmall(sets, onProgress);
  if (decoded) {
    const { channels, height, width } = decoded[0]!;
    const header: Header = { channels, height, width };
    const payload = decoded.map(({ images }) => images);
    // Without the cache only the next start is slower.
    await writeSealed(path, header, payload).catch(() => {});
  }
  return decoded;
}

/**
 * The images of file sets in memory, if all are of one small size: [count, 1 or 3, H, W]. One channel
 * if all are greyscale. Undefined where they are larger or differ.
 * @throws ThawError that names a file that cannot be decoded.
 */
export async function decodeSmall(
  sets: readonly FileImageSet[],
  onProgress?: (done: number, total: number) => void,
): Promise<ImageSet[] | undefined> {
  const first = sets.find(({ count }) => count > 0);
  if (first === undefined) return undefined;
  const { width, height } = await decodeFile(first.files[0]!, first.pixelRange);
  if (Math.max(width, height) > SMALL_SIDE) return undefined;
  const plane = width * height;
  const decoded: ImageSet[] = [];
  const total = sets.reduce((sum, { count }) => sum + count, 0);
  let done = 0;
  let uniform = true;
  let grey = true;
  for (const { files, labels, count, classes, indices, pixelRange } of sets) {
    const images = new Uint8Array(count * 3 * plane);
    await inParallel(count, async (row) => {
      if (!uniform) return;
      const image = await decodeFile(files[row]!, pixelRange);
      uniform &&= image.width === width && image.height === height;
      if (!uniform) return;
      grey &&= isGrey(image);
      onProgress?.(++done, total);
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
      pixelRange,
    });
  }
  return grey ? decoded.map(firstChannel) : decoded;
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
