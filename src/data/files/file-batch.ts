import { readFileSync, statSync } from "node:fs";
import { ThawError } from "../../errors.ts";
import { inMemoryFormat, scope, Tensor } from "../../tensor/index.ts";
import { type BatchPlan, type BatchRequest, finishBatch } from "../batch.ts";
import type { FileImageSet } from "../fileset.ts";
import { checkStamp } from "../folders/stamp.ts";
import { decodeImage, decodeJpegSync, isSyncJpeg, PixelBuffer } from "../images/decode.ts";
import { type Picture, reduceTo } from "../images/picture.ts";

import { sampleStreams } from "../random.ts";
import { augmentImage } from "../transforms/augment.ts";
import { normalizePacked } from "../transforms/normalize.ts";
import { packed } from "../transforms/raster.ts";
import { fitPicture, type ImageFit } from "./fit.ts";
import type { PictureStore } from "./pixel-store.ts";

/** A split's files, as a worker gets them. */
export type FileRows = Pick<FileImageSet, "files" | "stamps" | "labels" | "indices" | "pixelRange">;

/** What a thread keeps between batches, so that it takes no fresh memory for each. */
export class FileBatches {
  readonly #files: FileRows;
  readonly #plan: BatchPlan & { readonly fit: ImageFit };
  readonly #store: PictureStore | undefined;
  /** Told the row before its file is opened, and -1 after it. */
  readonly #watch: (row: number) => void;
  readonly #batch = new PixelBuffer();
  readonly #decoded = new PixelBuffer();
  readonly #reduced = new PixelBuffer();

  constructor(
    files: FileRows,
    plan: BatchPlan & { readonly fit: ImageFit },
    store: PictureStore | undefined,
    watch: (row: number) => void,
  ) {
    this.#files = files;
    this.#plan = plan;
    this.#store = store;
    this.#watch = watch;
  }

  /** Decodes, fits, augments, normalises and mixes one batch: float32 [n, 3, H, W] and int64 [n]. */
  async prepare(request: BatchRequest): Promise<{ images: Tensor; labels: Tensor }> {
    const { epoch, rows } = request;
    const { fit, seed, augment } = this.#plan;
    const [height, width] = fit.size;
    const bytes = height * width * 3;
    const streamOf = sampleStreams(seed, epoch);
    const streams = Array.from(rows, (row) => streamOf(this.#files.indices?.[row] ?? row));
    const pixels = this.#batch.take(rows.length * bytes);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const to = pixels.subarray(i * bytes, (i + 1) * bytes);
      await this.#fit(row, to, () => streams[i]!);
      if (augment) augmentImage(packed(to, [3, height, width]), augment, streams[i]!);
    }
    return scope(() => {
      const stacked = Tensor.borrow(pixels, [rows.length, height, width, 3]);
      const images = normalizePacked(stacked, this.#plan);
      finishBatch(images, this.#plan, request, streams);
      const labels = BigInt64Array.from(rows, (row) => BigInt(this.#files.labels[row]!));
      return {
        images: inMemoryFormat(images, this.#plan.memoryFormat),
        labels: Tensor.from(labels, [rows.length]),
      };
    });
  }

  async #fit(row: number, to: Uint8Array, random: Parameters<typeof fitPicture>[3]): Promise<void> {
    const { fit } = this.#plan;
    const [height, width] = fit.size;
    if (fit.crop.kind !== "random") {
      // What is kept is the finished picture.
      if (this.#store?.get(row, () => to)) return;
      fitPicture(await this.#decode(row), fit, to, random);
      this.#store?.put(row, { width, height, pixels: to });
      return;
    }
    const { from } = fit.crop;
    const kept = this.#store?.get(row, (bytes) => this.#decoded.take(bytes));
    if (kept) return fitPicture(kept, fit, to, random);
    const whole = await this.#decode(row);
    const picture =
      from === undefined ? whole : reduceTo(whole, from, fit.interpolation, this.#reduced);
    this.#store?.put(row, picture);
    fitPicture(picture, fit, to, random);
  }

  async #decode(row: number): Promise<Picture> {
    const path = this.#files.files[row]!;
    this.#watch(row);
    const bytes = readChecked(path, this.#files.stamps[row]!);
    const options = { scratch: this.#decoded, pixelRange: this.#files.pixelRange };
    try {
      return isSyncJpeg(bytes)
        ? decodeJpegSync(bytes, path, options)
        : await decodeImage(bytes, path, options);
    } catch (cause) {
      if (!(cause instanceof ThawError) || cause.hint !== undefined) throw cause;
      const hint = "`thaw data prepare` sets such files aside; or remove it";
      throw new ThawError(cause.message, { hint, cause });
    } finally {
      this.#watch(-1);
    }
  }
}

/** @throws ThawError where the file is gone or is not the one that was listed. */
function readChecked(path: string, stamp: string): Uint8Array {
  const hint = "prepare or open the data again: its images have changed since";
  let content: Uint8Array;
  try {
    // A pipe or a device could be waited for for ever.
    if (!statSync(path).isFile()) throw new Error("it is not a regular file");
    content = readFileSync(path);
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT" ? "it no longer exists" : String(cause);
    throw new ThawError(`${path}: cannot be read: ${why}`, { hint, cause });
  }
  checkStamp(path, content, stamp);
  return content;
}
