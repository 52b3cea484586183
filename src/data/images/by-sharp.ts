import type { Metadata, Sharp, SharpInput, SharpOptions } from "sharp";
import { checkPixels, type DecodedImage, damaged } from "./decoded.ts";
import type { Orientation } from "./jpeg-markers.ts";
import { orient } from "./orient.ts";
import type { ImageFormat } from "./sniff.ts";

type SharpModule = (input: SharpInput, options: SharpOptions) => Sharp;

/** libvips' loaders of the formats that `sniffFormat` knows. */
export const USED_LOADERS = ["Jpeg", "Png", "Webp", "Nsgif", "Heif"] as const;

/**
 * Every other loader of libvips, in sharp's build or in a system's: they are not for strangers'
 * files. They are named one by one because the block is of the whole process: to block all and
 * then let the used ones through would refuse what another thread decodes in that moment.
 */
export const REFUSED_LOADERS = [
  ..."Analyze Csv Dcraw Fits Jp2k Jxl Magick Magick7 Mat Matrix Nifti Openexr Openslide".split(" "),
  ..."Pdf Ppm Rad Raw Svg Tiff Uhdr Vips".split(" "),
] as const;

let loading: Promise<SharpModule> | undefined;

/** Only when the first picture needs it: loading it takes longer than `thaw --help` may. */
async function loadSharp(): Promise<SharpModule> {
  const { default: sharp } = await import("sharp");
  sharp.block({ operation: REFUSED_LOADERS.map((name) => `VipsForeignLoad${name}`) });
  // Every file is read once.
  sharp.cache(false);
  return sharp;
}

const TIMEOUT_SECONDS = 60;

/** Decodes by libvips, without its colour management: Pillow's `convert("RGB")` has none. */
export async function decodeBySharp(
  bytes: Uint8Array,
  format: ImageFormat,
  where: string,
  maxPixels: number,
): Promise<DecodedImage> {
  loading ??= loadSharp();
  const sharp = await loading;
  // The pixel limit is ours, told in our words; libvips' own stays behind it.
  const options: SharpOptions = { failOn: "error", limitInputPixels: false, ignoreIcc: true };
  const attempt = async <T>(body: () => Promise<T>): Promise<T> => {
    try {
      return await body();
    } catch (cause) {
      throw damaged(where, (cause as Error).message.replaceAll(/\s*\n\s*/g, "; "), cause);
    }
  };
  const header = await attempt(() => sharp(bytes, options).metadata());
  checkPixels(header.width, header.pageHeight ?? header.height, where, maxPixels);
  const image = sharp(bytes, { ...options, limitInputPixels: maxPixels }).timeout({
    seconds: TIMEOUT_SECONDS,
  });
  const inks = header.space === "cmyk";
  const { data, info } = await attempt(() =>
    image
      .pipelineColourspace(inks ? "cmyk" : "srgb")
      .toColourspace(inks ? "cmyk" : "srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true }),
  );
  const { width, height, channels } = info;
  const pixels = inks ? cmykToRgb(data) : toRgb(data, channels, width * height);
  const upright = orient({ width, height, pixels }, orientationOf(header));
  return { ...upright, format, mode: modeOf(header, format) };
}

/** EXIF's orientation, else XMP's, as Pillow reads them. */
function orientationOf({ orientation, xmp }: Metadata): Orientation {
  const tag = /tiff:Orientation(?:="|>)([1-8])/;
  const value = orientation ?? Number(tag.exec(xmp?.toString("latin1") ?? "")?.[1] ?? 1);
  return value as Orientation;
}

/** Grey, grey with alpha, RGB or RGBA → RGB on white. */
function toRgb(data: Uint8Array, channels: number, count: number): Uint8Array {
  if (channels === 3) return data;
  const colours = channels <= 2 ? 1 : 3;
  const hasAlpha = channels % 2 === 0;
  const pixels = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const at = i * channels;
    const alpha = hasAlpha ? data[at + colours]! : 255;
    for (let c = 0; c < 3; c++) {
      const value = data[at + (colours === 1 ? 0 : c)]!;
      pixels[i * 3 + c] = 255 - Math.round(((255 - value) * alpha) / 255);
    }
  }
  return pixels;
}

/** Inks (255: full) → RGB by Pillow's formula, which knows no profile. */
function cmykToRgb(data: Uint8Array): Uint8Array {
  const count = data.length >> 2;
  const pixels = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const black = 255 - data[i * 4 + 3]!;
    for (let c = 0; c < 3; c++) {
      pixels[i * 3 + c] = Math.max(0, black - Math.round((data[i * 4 + c]! * black) / 255));
    }
  }
  return pixels;
}

function modeOf(header: Metadata, format: ImageFormat): string {
  if (header.isPalette || format === "gif") return "P";
  if (header.space === "cmyk") return "CMYK";
  if (header.channels >= 3) return header.hasAlpha ? "RGBA" : "RGB";
  if (header.depth === "ushort") return "I;16";
  return header.hasAlpha ? "LA" : "L";
}
