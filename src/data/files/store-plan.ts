import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FileImageSet } from "../fileset.ts";
import type { ImageFit } from "./fit.ts";

/** Photographs are at most so much longer than wide, as a rule; those that are longer may find no room. */
const LONGEST = 1.5;
/** Of free memory. */
const MEMORY_SHARE = 0.25;
/** Of whole pictures, whose sizes nobody knows beforehand; a typed array ends at 4 GiB. */
const MOST_MEMORY = 3 * 2 ** 30;

/**
 * Room for a split's decoded pictures, and the file where it is too much for memory. Pictures that are
 * cropped from all of their pixels are kept in memory alone, as many as find room.
 */
export function storePlan(
  set: Pick<FileImageSet, "count" | "files" | "stamps">,
  fit: ImageFit,
  folder: string,
  freeBytes: number,
): { readonly bytes: number; readonly file?: string } {
  const { size, crop } = fit;
  if (crop.kind === "random" && crop.from === undefined) {
    return { bytes: Math.floor(Math.min(freeBytes * MEMORY_SHARE, MOST_MEMORY)) };
  }
  const pixels = crop.kind === "random" ? crop.from! * crop.from! * LONGEST : size[0] * size[1];
  const bytes = Math.ceil(set.count * pixels * 3);
  if (bytes <= freeBytes * MEMORY_SHARE) return { bytes };
  // A process of its own: two runs on the same files must not write into one.
  const key = createHash("sha256").update(
    JSON.stringify([set.files, set.stamps, fit, process.pid]),
  );
  return { bytes, file: join(folder, `${key.digest("hex").slice(0, 16)}.pixels`) };
}
