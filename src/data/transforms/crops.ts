import type { RandomStream } from "../random.ts";

/** A part of a picture in whole pixels. */
export interface Crop {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

type Size = readonly [height: number, width: number];

/** torchvision's `Resize(shorter)`: the size whose shorter side is `shorter`, in the same proportions. */
export function resizedTo([height, width]: Size, shorter: number): Size {
  const [short, long] = height <= width ? [height, width] : [width, height];
  const other = Math.trunc((shorter * long) / short);
  return height <= width ? [shorter, other] : [other, shorter];
}

/** torchvision's `CenterCrop(size)` of a picture that is at least as large. */
export function centerCrop([height, width]: Size, size: Size): Crop {
  return {
    top: roundHalfEven((height - size[0]) / 2),
    left: roundHalfEven((width - size[1]) / 2),
    height: size[0],
    width: size[1],
  };
}

/** Where in a larger picture torchvision's `FiveCrop` cuts. */
export const cropPlaces = [
  "top left",
  "top right",
  "bottom left",
  "bottom right",
  "center",
] as const;
export type CropPlace = (typeof cropPlaces)[number];

/** The crop at a place of a picture that is at least as large. */
export function cropAt(picture: Size, size: Size, place: CropPlace): Crop {
  const center = centerCrop(picture, size);
  if (place === "center") return center;
  const [down, across] = place.split(" ");
  return {
    ...center,
    top: down === "top" ? 0 : picture[0] - size[0],
    left: across === "left" ? 0 : picture[1] - size[1],
  };
}

/** Python's round(). */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

export interface RandomResizedCrop {
  /** Share of the picture's area, from and to. */
  readonly scale: readonly [number, number];
  /** Width ÷ height, from and to. */
  readonly ratio: readonly [number, number];
}

/** torchvision's `RandomResizedCrop.get_params`: ten attempts, then the largest crop of an allowed ratio. */
export function randomResizedCrop(
  [height, width]: Size,
  { scale, ratio }: RandomResizedCrop,
  random: RandomStream,
): Crop {
  const area = height * width;
  for (let attempt = 0; attempt < 10; attempt++) {
    const target = area * random.uniform(scale[0], scale[1]);
    const aspect = Math.exp(random.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
    const w = roundHalfEven(Math.sqrt(target * aspect));
    const h = roundHalfEven(Math.sqrt(target / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      return {
        top: random.int(0, height - h + 1),
        left: random.int(0, width - w + 1),
        height: h,
        width: w,
      };
    }
  }
  const own = width / height;
  const [h, w] =
    own < ratio[0]
      ? [roundHalfEven(width / ratio[0]), width]
      : own > ratio[1]
        ? [height, roundHalfEven(height * ratio[1])]
        : [height, width];
  return {
    top: Math.floor((height - h) / 2),
    left: Math.floor((width - w) / 2),
    height: h,
    width: w,
  };
}
