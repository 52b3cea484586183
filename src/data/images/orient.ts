import type { Orientation } from "./jpeg-markers.ts";

interface Picture {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] */
  readonly pixels: Uint8Array;
}

/** The picture upright: what EXIF's orientation says was done to it is undone. */
export function orient(picture: Picture, orientation: Orientation): Picture {
  if (orientation === 1) return picture;
  const { width: w, height: h, pixels } = picture;
  const turned = orientation >= 5;
  const [width, height] = turned ? [h, w] : [w, h];
  // Where the upright picture's first pixel lies in the file's, and the steps to its neighbours.
  const right = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const below = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const stepX = right ? -1 : 1;
  const stepY = below ? -w : w;
  const [alongRow, alongColumn] = turned ? [stepY, stepX] : [stepX, stepY];
  const start = (right ? w - 1 : 0) + (below ? (h - 1) * w : 0);
  const result = new Uint8Array(pixels.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = (start + y * alongColumn) * 3;
    for (let x = 0; x < width; x++) {
      result[to] = pixels[from]!;
      result[to + 1] = pixels[from + 1]!;
      result[to + 2] = pixels[from + 2]!;
      to += 3;
      from += alongRow * 3;
    }
  }
  return { width, height, pixels: result };
}
