import type { PixelRange } from "./images/levels.ts";

/** Images that stay in their files and are decoded when a batch needs them. */
export interface FileImageSet {
  /** [count], absolute paths. */
  readonly files: readonly string[];
  /** [count], indices into `classes`. */
  readonly labels: Int32Array;
  readonly count: number;
  readonly classes: readonly string[];
  /** [count], sha256 or size+mtime of each file when it was listed. */
  readonly stamps: readonly string[];
  /** [count], below the source's root with forward slashes; absent in sets made by hand. */
  readonly names?: readonly string[];
  /** [count], the row of each image in the source's own split (absent: row i is image i). */
  readonly indices?: Int32Array;
  /** What is black and white in files of more than 8 bits a sample; default what they say themselves. */
  readonly pixelRange?: PixelRange | undefined;
}
