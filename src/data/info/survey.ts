import type { Source } from "../datasets/index.ts";
import type { Listing, SplitName } from "../folders/listing.ts";
import type { ImageSet } from "../imageset.ts";
import { imageBytes } from "../imageset.ts";
import { type Examined, type PixelSummary, pixelHash } from "../prepare/examine.ts";
import { examineFiles } from "../prepare/examine-files.ts";
import { type ChannelStatistics, channelStatistics } from "../statistics.ts";
import { areaResize, luma, THUMB, THUMB_BYTES } from "./thumbnail.ts";

/** An image that could be decoded. */
export interface SurveyedImage {
  /** A file's name below the source, or `test 1234`. */
  readonly name: string;
  readonly className: string;
  readonly split: SplitName | undefined;
  readonly width: number;
  readonly height: number;
  /** Pillow's name. */
  readonly mode: string;
  readonly format: string | undefined;
  /** sha256 of the file; none where images lie in one file together. */
  readonly sha256: string | undefined;
  /** sha256 of size and pixels. */
  readonly pixels: string;
  /** Where to find it again for a picture of it. */
  readonly at: { readonly path: string } | { readonly set: ImageSet; readonly row: number };
}

export interface Damaged {
  readonly name: string;
  readonly className: string;
  readonly split: SplitName | undefined;
  readonly reason: string;
}

/** Everything that one reading of a data set tells. */
export interface Survey {
  readonly name: string;
  readonly classes: readonly string[];
  readonly notes: readonly string[];
  readonly images: readonly SurveyedImage[];
  readonly damaged: readonly Damaged[];
  /** [images, 28, 28], grey. */
  readonly thumbnails: Uint8Array;
  /** Of the training images, or of all where there are no splits; per channel, of pixel/255. */
  readonly statistics: ChannelStatistics;
}

/** Reads all images of a source. `onProgress` hears of files as they are decoded. */
export async function surveySource(
  source: Source,
  onProgress?: (done: number, total: number) => void,
): Promise<Survey> {
  return source.kind === "memory" ? surveySets(source) : surveyFiles(source.listing, onProgress);
}

function surveySets({ name, notes, train, test }: Extract<Source, { kind: "memory" }>): Survey {
  const images: SurveyedImage[] = [];
  const thumbnails = new Uint8Array((train.count + test.count) * THUMB_BYTES);
  for (const [split, set] of Object.entries({ train, test }) as ["train" | "test", ImageSet][]) {
    const size = imageBytes(set);
    const { width, height, classes } = set;
    const plane = width * height;
    for (let row = 0; row < set.count; row++) {
      const pixels = set.images.subarray(row * size, (row + 1) * size);
      const grey = set.channels === 1 ? pixels : luma(pixels, 1, plane);
      thumbnailInto(thumbnails, images.length, grey, width, height);
      images.push({
        name: `${split} ${row}`,
        className: classes[set.labels[row]!]!,
        split,
        width,
        height,
        mode: set.channels === 1 ? "L" : "RGB",
        format: undefined,
        sha256: undefined,
        pixels: pixelHash({ width, height, pixels }),
        at: { set, row },
      });
    }
  }
  const statistics = channelStatistics(train);
  return { name, classes: train.classes, notes, images, damaged: [], thumbnails, statistics };
}

async function surveyFiles(
  listing: Listing,
  onProgress?: (done: number, total: number) => void,
): Promise<Survey> {
  const { files, name, classes, notes, hasSplits } = listing;
  const found = new Array<SurveyedImage | Damaged>(files.length);
  const all = new Uint8Array(files.length * THUMB_BYTES);
  const sums = new PixelSums();
  let done = 0;
  const paths = files.map(({ path }) => path);
  await examineFiles(paths, { summaries: true }, (i, { examined, summary }) => {
    const { path, name, className, split } = files[i]!;
    if (summary) {
      all.set(summary.thumbnail, i * THUMB_BYTES);
      if (!hasSplits || split === "train") sums.add(summary, examined);
    }
    found[i] =
      examined.kind === "damaged"
        ? { name, className, split, reason: examined.reason }
        : { ...examined, name, className, split, at: { path } };
    onProgress?.(++done, files.length);
  });
  const good = Array.from(found.keys()).filter((i) => !("reason" in found[i]!));
  const thumbnails = new Uint8Array(good.length * THUMB_BYTES);
  good.forEach((i, place) => {
    thumbnails.set(all.subarray(i * THUMB_BYTES, (i + 1) * THUMB_BYTES), place * THUMB_BYTES);
  });
  return {
    name,
    classes,
    notes,
    images: good.map((i) => found[i] as SurveyedImage),
    damaged: found.filter((one): one is Damaged => "reason" in one),
    thumbnails,
    statistics: sums.result(),
  };
}

function thumbnailInto(
  thumbnails: Uint8Array,
  row: number,
  values: Uint8Array,
  width: number,
  height: number,
): void {
  const out = thumbnails.subarray(row * THUMB_BYTES, (row + 1) * THUMB_BYTES);
  if (width === THUMB && height === THUMB) out.set(values);
  else areaResize({ values, width, height }, THUMB, THUMB, out);
}

/** Mean and deviation over every pixel of images of any size. Sums are whole, hence exact. */
class PixelSums {
  readonly #sums = [0, 0, 0];
  readonly #squares = [0, 0, 0];
  #count = 0;
  #grey = true;

  add({ sums, squares, grey }: PixelSummary, examined: Examined): void {
    for (let channel = 0; channel < 3; channel++) {
      this.#sums[channel]! += sums[channel]!;
      this.#squares[channel]! += squares[channel]!;
    }
    if (examined.kind === "image") this.#count += examined.width * examined.height;
    this.#grey &&= grey;
  }

  /** One channel if all images are greyscale. */
  result(): ChannelStatistics {
    const n = Math.max(1, this.#count);
    const mean = this.#sums.map((sum) => sum / n / 255);
    const std = this.#squares.map((square, channel) =>
      Math.sqrt(Math.max(0, square / n / (255 * 255) - mean[channel]! ** 2)),
    );
    return this.#grey ? { mean: mean.slice(0, 1), std: std.slice(0, 1) } : { mean, std };
  }
}
