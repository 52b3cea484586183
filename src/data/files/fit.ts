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
import { planar } from "../transforms/raster.ts";
import { shift } from "../transforms/warp.ts";

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

/**
 * {@link fitPicture} of images in memory: uint8 [N, C, h, w] → uint8 [N, C, size].
 * @param streams One an image; evaluation needs none.
 */
export function fitPlanes(
  images: Tensor,
  fit: ImageFit,
  streams: readonly RandomStream[] = [],
): Tensor {
  const { size, interpolation, crop } = fit;
  const [n, c, h, w] = images.shape as [number, number, number, number];
  const from = images.toArray("uint8");
  const plane = size[0] * size[1];
  const to = new Uint8Array(n * c * plane);
  if (crop.kind === "random") {
    const wide = c * h * w;
    for (const [i, stream] of streams.entries()) {
      const own = to.subarray(i * c * plane, (i + 1) * c * plane);
      const image = from.subarray(i * wide, (i + 1) * wide);
      cropPlanes(image, [c, h, w], own, { size, interpolation, crop }, stream);
    }
    return Tensor.from(to, [n, c, ...size]);
  }
  const box = cropBox([h, w], sideBeforeCrop({ size }, crop.pct), size, placeOf(crop));
  for (let i = 0; i < n * c; i++) {
    const source = from.subarray(i * h * w, (i + 1) * h * w);
    const target = to.subarray(i * plane, (i + 1) * plane);
    resample(source, [h, w], target, size, 1, box, interpolation);
  }
  return Tensor.from(to, [n, c, ...size]);
}

/** A random crop of one image, [C, h, w] → [C, size], mirrored by chance. */
function cropPlanes(
  image: Uint8Array,
  [channels, height, width]: readonly [number, number, number],
  to: Uint8Array,
  { size, interpolation, crop }: ImageFit & { crop: { kind: "random" } },
  stream: RandomStream,
): void {
  const part = randomResizedCrop([height, width], crop, stream);
  const cut = new Uint8Array(part.height * part.width);
  const plane = size[0] * size[1];
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < part.height; y++) {
      const start = (c * height + part.top + y) * width + part.left;
      cut.set(image.subarray(start, start + part.width), y * part.width);
    }
    const target = to.subarray(c * plane, (c + 1) * plane);
    const box = [0, 0, part.width, part.height] as const;
    resample(cut, [part.height, part.width], target, size, 1, box, interpolation);
  }
  const mirrored = stream.uniform() < crop.hflip;
  shift(planar(to, [channels, ...size]), { top: 0, left: 0, mirrored });
}

function placeOf(crop: Exclude<ImageFit["crop"], { kind: "random" }>): CropPlace {
  return crop.kind === "center" ? "center" : crop.at;
}
