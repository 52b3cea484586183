import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import sharp from "sharp";
import { seedStream } from "../../src/data/random.ts";

export interface TinyImage {
  readonly width?: number;
  readonly height?: number;
  /** 1 for greyscale. */
  readonly channels?: 1 | 3;
  /** Equal seeds give equal pixels. */
  readonly seed: number;
}

/** [height, width, channels]: a few coloured bars, so that it is small when compressed. */
export function tinyPixels({ width = 32, height = 32, channels = 3, seed }: TinyImage): Uint8Array {
  const random = seedStream(seed, "tiny image");
  const bars = Array.from({ length: 64 }, () => random.int(0, 256));
  const slope = random.int(1, 5);
  return Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const pixel = Math.floor(i / channels);
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    return bars[
      (Math.floor((x * 8) / width) + slope * Math.floor((y * 4) / height) + (i % channels)) % 64
    ]!;
  });
}

export async function encodeTiny(
  image: TinyImage,
  format: "png" | "jpeg" | "webp" | "gif",
): Promise<Buffer> {
  const { width = 32, height = 32, channels = 3 } = image;
  const encoder = sharp(tinyPixels(image), { raw: { width, height, channels } });
  return (channels === 1 ? encoder.toColourspace("b-w") : encoder).toFormat(format).toBuffer();
}

/** Writes an image file; its folders are made. The format follows the name. */
export async function writeTiny(path: string, image: TinyImage): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const { width = 32, height = 32, channels = 3 } = image;
  const encoder = sharp(tinyPixels(image), { raw: { width, height, channels } });
  await (channels === 1 ? encoder.toColourspace("b-w") : encoder).toFile(path);
}

/** `counts` images a class below `root`: `<class>/0.png`, … each with pixels of its own. */
export async function writeTinyFolder(
  root: string,
  counts: Readonly<Record<string, number>>,
  image: Omit<TinyImage, "seed"> & { readonly seed?: number; readonly extension?: string } = {},
): Promise<void> {
  let seed = image.seed ?? 1;
  for (const [name, count] of Object.entries(counts)) {
    mkdirSync(`${root}/${name}`, { recursive: true });
    for (let i = 0; i < count; i++) {
      await writeTiny(`${root}/${name}/${i}.${image.extension ?? "png"}`, {
        ...image,
        seed: seed++,
      });
    }
  }
}
