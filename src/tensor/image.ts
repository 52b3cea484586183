import type { Native } from "../libtorch/native.ts";
import { engine } from "./engine.ts";

/** A JPEG's decoder of two functions, where the addon was compiled with libturbojpeg. */
export type TurboJpeg = Required<Pick<Native, "jpegHeader" | "decodeJpeg">>;

export function turboJpeg(): TurboJpeg | undefined {
  const { jpegHeader, decodeJpeg } = engine();
  return jpegHeader && decodeJpeg ? { jpegHeader, decodeJpeg } : undefined;
}

/** Pillow's resampling of 8-bit pictures [height, width, channels], equal to it to the last bit. */
export function resample(...args: Parameters<Native["resample"]>): void {
  engine().resample(...args);
}
