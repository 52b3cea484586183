import { resample, Tensor } from "../../tensor/index.ts";
import {
  cropBox,
  type Interpolation,
  mirror,
  type Picture,
  resizeAndCrop,
  resizedCrop,
} from "../images/picture.ts";
import type { RandomStream } from "../random.ts";
import { type CropPlace, type RandomResizedCrop, randomResizedCrop } from "../transforms/crops.ts";

/** How pictures of any size become those of one size: plain data, so that it can be sent to a worker. */
export interface ImageFit {
  readonly size: readonly [height: number, width: number];
  readonly interpolation: Interpolation;
  readonly crop:
    | {
        /** For evaluation: the shorter side to size ÷ `pct`, then the middle. */
        readonly kind: "center";
        readonly pct: number;
      }
    | {
        /** For another view in evaluation: the same, but a corner. */
        readonly kind: "corner";
        readonly pct: number;
        readonly at: Exclude<CropPlace, "center">;
      }
    | ({
        /** For training: `RandomResizedCrop`, then mirrored with probability `hflip`. */
        readonly kind: "random";
        readonly hflip: number;
        /**
         * Pictures are first reduced to this shorter side, and kept so; absent: cropped from the file's
         * own pixels.
         */
        readonly from?: number;
      } & RandomResizedCrop);
}

/** The shorter side before a centre crop: timm's floor(size / pct). */
export function sideBeforeCrop({ size }: Pick<ImageFit, "size">, pct: number): number {
  return Math.floor(Math.min(...size) / pct);
}

/** Fits a picture into `to`, [size, 3]. Draws nothing for evaluation. */
export function fitPicture(
  picture: Picture,
  { size, interpolation, crop }: ImageFit,
  to: Uint8Array,
  random: () => RandomStream,
): void {
  if (crop.kind !== "random") {
    const shorter = sideBeforeCrop({ size }, crop.pct);
    resizeAndCrop(picture, shorter, to, size, interpolation, placeOf(crop));
    return;
  }
  const stream = random();
  const part = randomResizedCrop([picture.height, picture.width], crop, stream);
  resizedCrop(picture, part, to, size, interpolation);
  if (stream.uniform() < crop.hflip) mirror(to, size);
}

/** {@link fitPicture} for evaluation, of images in memory: uint8 [N, C, h, w] → uint8 [N, C, size]. */
export function fitPlanes(images: Tensor, { size, interpolation, crop }: ImageFit): Tensor {
  if (crop.kind === "random") throw new RangeError("random crops are of images in files");
  const [n, c, h, w] = images.shape as [number, number, number, number];
  const box = cropBox([h, w], sideBeforeCrop({ size }, crop.pct), size, placeOf(crop));
  const from = images.toArray("uint8");
  const plane = size[0] * size[1];
  const to = new Uint8Array(n * c * plane);
  for (let i = 0; i < n * c; i++) {
    const source = from.subarray(i * h * w, (i + 1) * h * w);
    const target = to.subarray(i * plane, (i + 1) * plane);
    resample(source, [h, w], target, size, 1, box, interpolation);
  }
  return Tensor.from(to, [n, c, ...size]);
}

function placeOf(crop: Exclude<ImageFit["crop"], { kind: "random" }>): CropPlace {
  return crop.kind === "center" ? "center" : crop.at;
}
