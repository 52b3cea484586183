/** 8-bit pixels of one image where they lie: value (c, y, x) stands at c · plane + (y · width + x) · step. */
export interface Raster {
  readonly values: Uint8Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly plane: number;
  readonly step: number;
}

type Shape = readonly [channels: number, height: number, width: number];

/** Pixels [C, H, W]. */
export function planar(values: Uint8Array, [channels, height, width]: Shape): Raster {
  return { values, channels, height, width, plane: height * width, step: 1 };
}

/** Pixels [H, W, C]. */
export function packed(values: Uint8Array, [channels, height, width]: Shape): Raster {
  return { values, channels, height, width, plane: 1, step: channels };
}
