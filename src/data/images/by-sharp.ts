import type { Metadata, Sharp, SharpInput, SharpOptions } from "sharp";
import { DamagedFileError } from "../formats/damaged.ts";
import { checkPixels, checkScans, type DecodedImage, damaged } from "./decoded.ts";
import type { Orientation } from "./jpeg-markers.ts";
import { type RangeChoice, type SampleKind, type Samples, toLevels } from "./levels.ts";
import { orient } from "./orient.ts";
import { significantWhite } from "./png-chunks.ts";
import type { ImageFormat } from "./sniff.ts";
import { type TiffHeader, tiffHeader } from "./tiff-header.ts";

type SharpModule = (input: SharpInput, options: SharpOptions) => Sharp;

/** libvips' loaders of the formats that `sniffFormat` knows. */
export const USED_LOADERS = ["Jpeg", "Png", "Webp", "Nsgif", "Heif", "Tiff"] as const;

/**
 * Every other loader of libvips, in sharp's build or in a system's: they are not for strangers'
 * files. They are named one by one because the block is of the whole process: to block all and
 * then let the used ones through would refuse what another thread decodes in that moment.
 */
export const REFUSED_LOADERS = [
  ..."Analyze Csv Dcraw Fits Jp2k Jxl Magick Magick7 Mat Matrix Nifti Openexr Openslide".split(" "),
  ..."Pdf Ppm Rad Raw Svg Uhdr Vips".split(" "),
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

export interface SharpDecodeOptions {
  readonly maxPixels: number;
  readonly pixelRange?: RangeChoice | undefined;
}

/** Decodes by libvips, without its colour management: Pillow's `convert("RGB")` has none. */
export async function decodeBySharp(
  file: Uint8Array,
  format: ImageFormat,
  where: string,
  { maxPixels, pixelRange }: SharpDecodeOptions,
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
  const tiff = format === "tiff" ? tiffHeader(file) : undefined;
  if (tiff !== undefined) refuseOddSamples(tiff, where);
  const bytes = tiff?.firstPage ?? file;
  const header = await attempt(() => sharp(bytes, options).metadata());
  checkPixels(header.width, header.pageHeight ?? header.height, where, maxPixels, bytes.length);
  if (format === "jpeg") checkScans(bytes, header.width * header.height, where);
  const image = sharp(bytes, { ...options, limitInputPixels: maxPixels }).timeout({
    seconds: TIMEOUT_SECONDS,
  });
  const inks = header.space === "cmyk";
  // What has more than 8 bits comes as it is, and is brought to 8 here.
  const isDeep = !inks && (header.depth !== "uchar" || tiff?.kind === "signed");
  const space = inks ? "cmyk" : isDeep ? header.space! : "srgb";
  const { data, info } = await attempt(() =>
    image
      .pipelineColourspace(space)
      .toColourspace(space)
      .raw({ depth: isDeep ? header.depth! : "uchar" })
      .toBuffer({ resolveWithObject: true }),
  );
  const { width, height, channels } = info;
  const deep = isDeep
    ? levels(data, channels, { file, header, tiff, pixelRange }, where)
    : undefined;
  const eight = deep?.pixels ?? data;
  const pixels = inks ? cmykToRgb(eight) : toRgb(eight, channels, width * height);
  const upright = orient({ width, height, pixels }, orientationOf(header));
  return {
    ...upright,
    format,
    mode: modeOf(header, format, tiff),
    ...(deep && { depth: deep.depth }),
    ...(tiff && { pages: tiff.pages }),
  };
}

/** libvips' own words for them are of no use to anybody. */
function refuseOddSamples({ bits, kind }: TiffHeader, where: string): void {
  const isRead = kind === "float" ? bits === 32 : [1, 2, 4, 8, 16, 32].includes(bits);
  if (isRead && kind !== "other") return;
  const what = {
    float: "floating-point ",
    signed: "signed ",
    unsigned: "",
    other: "complex or unknown ",
  };
  throw new DamagedFileError(
    `${where}: cannot be decoded: a TIFF with ${what[kind]}samples of ${bits} bits`,
    { hint: "save it with 8 or 16 bits per sample" },
  );
}

interface DeepFile {
  readonly file: Uint8Array;
  readonly header: Metadata;
  readonly tiff: TiffHeader | undefined;
  readonly pixelRange: RangeChoice | undefined;
}

function levels(
  data: Buffer,
  channels: number,
  { file, header, tiff, pixelRange }: DeepFile,
  where: string,
): ReturnType<typeof toLevels> {
  const kind = tiff === undefined || tiff.kind === "other" ? "unsigned" : tiff.kind;
  const samples = samplesOf(data, header.depth!, kind);
  const said =
    samples instanceof Uint16Array
      ? header.format === "png"
        ? significantWhite(file, samples)
        : tiff?.said
      : undefined;
  const bits = samples.BYTES_PER_ELEMENT * 8;
  return toLevels({ samples, kind, bits, channels, said, given: pixelRange }, where);
}

/** libvips' buffer as what it holds; signed integers were read as unsigned ones. */
function samplesOf(data: Buffer, depth: string, kind: SampleKind): Samples {
  const isSigned = kind === "signed";
  const own = { uchar: Int8Array, float: Float32Array };
  const whole = isSigned
    ? { ushort: Int16Array, uint: Int32Array }
    : { ushort: Uint16Array, uint: Uint32Array };
  const Type = { ...own, ...whole }[depth as "uchar" | "float" | "ushort" | "uint"];
  // A typed array begins at a multiple of its elements' size.
  const aligned = data.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? data : Uint8Array.from(data);
  return new Type(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    data.length / Type.BYTES_PER_ELEMENT,
  );
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

function modeOf(header: Metadata, format: ImageFormat, tiff: TiffHeader | undefined): string {
  if (header.isPalette || format === "gif" || tiff?.hasPalette) return "P";
  if (header.space === "cmyk") return "CMYK";
  if (header.channels >= 3) return header.hasAlpha ? "RGBA" : "RGB";
  if (tiff?.bits === 1) return "1";
  if (tiff?.kind === "float") return "F";
  if (header.depth === "uint" || tiff?.kind === "signed") return "I";
  if (header.depth === "ushort") return "I;16";
  return header.hasAlpha ? "LA" : "L";
}
