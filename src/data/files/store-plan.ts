import { join } from "node:path";
import { temporaryPath } from "../../platform/temporary.ts";
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
  // No other process may write into it, and it is of no use once this one has ended.
  return { bytes, file: temporaryPath(join(folder, "pixels")) };
}
