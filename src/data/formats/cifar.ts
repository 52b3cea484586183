import type { ImageSet } from "../imageset.ts";
import { DamagedFileError } from "./damaged.ts";

const SIDE = 32;
const PIXEL_BYTES = 3 * SIDE * SIDE;
const RECORD_BYTES = 1 + PIXEL_BYTES;

/**
 * Reads CIFAR-10's binary batches, one after the other, as one set: records of a label byte and
 * 3 × 32 × 32 pixels, red then green then blue, row by row (Krizhevsky 2009, "binary version").
 * How many records there are is what the files hold.
 */
export function cifarImageSet(
  batches: readonly { bytes: Uint8Array; where: string }[],
  classes: readonly string[],
): ImageSet {
  let count = 0;
  for (const { bytes, where } of batches) {
    if (bytes.length === 0 || bytes.length % RECORD_BYTES !== 0) {
      throw new DamagedFileError(
        `${where}: ${bytes.length} bytes are not a whole number of CIFAR records (${RECORD_BYTES} bytes each)`,
      );
    }
    count += bytes.length / RECORD_BYTES;
  }
  const images = new Uint8Array(count * PIXEL_BYTES);
  const labels = new Uint8Array(count);
  let row = 0;
  for (const { bytes, where } of batches) {
    for (let at = 0; at < bytes.length; at += RECORD_BYTES, row++) {
      const label = bytes[at]!;
      if (label >= classes.length) {
        throw new DamagedFileError(
          `${where}: record ${at / RECORD_BYTES} has label ${label}, but there are ${classes.length} classes`,
        );
      }
      labels[row] = label;
      images.set(bytes.subarray(at + 1, at + RECORD_BYTES), row * PIXEL_BYTES);
    }
  }
  return { images, labels, count, channels: 3, height: SIDE, width: SIDE, classes };
}
