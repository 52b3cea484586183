import { ThawError } from "../../errors.ts";
import type { NetworkInput } from "../../run/input.ts";
import { PictureReader, type ReadPicture } from "./pictures.ts";
import type { Predictor } from "./predictor.ts";
import type { PictureBytes } from "./standard-input.ts";

export interface Guess {
  readonly label: string;
  readonly probability: number;
}

/** What is said of one file: its likeliest classes, or why nothing can be said. */
export type Answer =
  | { readonly file: string; readonly top: readonly Guess[] }
  | { readonly file: string; readonly error: string };

export interface PredictOptions {
  /** Classes named for each image; default 5. */
  readonly top?: number | undefined;
  /** Images at a time, where the model takes any number; default 32, and at most what 128 MiB of pixels are. */
  readonly batchSize?: number | undefined;
  /** Told once where pictures are resized for a model that was trained on images of one size. */
  readonly onNote?: ((text: string) => void) | undefined;
}

interface Decoded {
  readonly files: readonly { readonly file: string; readonly error?: string }[];
  readonly pixels: Uint8Array;
  /** [n, H, W, C] */
  readonly shape: readonly [number, number, number, number];
}

/**
 * Labels images in the order of their paths; a file that cannot be read is told, and the others go on. Two batches are
 * held, whatever the number of paths: one is decoded while the model works on the other.
 */
export async function* predictFiles(
  predictor: Predictor,
  paths: AsyncIterable<string | PictureBytes>,
  { top = 5, batchSize = 32, onNote }: PredictOptions = {},
): AsyncGenerator<Answer> {
  const { metadata, resizes, most = batchSize } = predictor;
  const { classes, input } = metadata;
  const reader = new PictureReader(input, { whole: resizes, onNote });
  const ask = async ({ files, pixels, shape }: Decoded): Promise<Answer[]> => {
    let said: Float32Array = new Float32Array();
    try {
      if (shape[0] > 0) said = await predictor.ask(pixels, shape);
    } catch (failure) {
      // Of one picture it may be the picture's own, and the others go on.
      if (shape[0] > 1 || !(failure instanceof ThawError)) throw failure;
      return files.map(({ file, error = failure.message }) => ({ file, error }));
    }
    let row = 0;
    return files.map(({ file, error }): Answer => {
      if (error !== undefined) return { file, error };
      const own = said.subarray(row * classes.length, (row + 1) * classes.length);
      row++;
      return { file, top: likeliest(own, classes, top) };
    });
  };
  let pending: Promise<Answer[]> | undefined;
  const batches = resizes
    ? decodedOnes(paths, reader, input.channels)
    : decodedBatches(paths, reader, input, Math.min(batchSize, most, heldAtOnce(input)));
  try {
    for await (const batch of batches) {
      const done = await pending;
      pending = ask(batch);
      // Its failure is told by the await above; until then it must not count as unhandled.
      pending.catch(() => {});
      if (done !== undefined) yield* done;
    }
    if (pending !== undefined) yield* await pending;
  } finally {
    // Whoever stops reading may free the model next.
    await pending?.catch(() => {});
  }
}

/** Pictures of a batch, at most: as many as are 128 MiB, or one. */
function heldAtOnce({ height, width, channels }: NetworkInput): number {
  return Math.max(1, Math.floor(2 ** 27 / (height * width * channels)));
}

async function* decodedBatches(
  paths: AsyncIterable<string | PictureBytes>,
  reader: PictureReader,
  { height, width, channels }: NetworkInput,
  batchSize: number,
): AsyncGenerator<Decoded> {
  const image = height * width * channels;
  let files: { file: string; error?: string }[] = [];
  let pixels = new Uint8Array(image * batchSize);
  let count = 0;
  const batch = (): Decoded => ({
    files,
    pixels: pixels.subarray(0, count * image),
    shape: [count, height, width, channels],
  });
  for await (const source of paths) {
    const file = nameOf(source);
    const read = await attempt(reader, source);
    files.push("error" in read ? { file, error: read.error } : { file });
    if ("pixels" in read) pixels.set(read.pixels, image * count++);
    if (count < batchSize && files.length < 4 * batchSize) continue;
    yield batch();
    files = [];
    pixels = new Uint8Array(image * batchSize);
    count = 0;
  }
  if (files.length > 0) yield batch();
}

/** One by one, each of its own size. */
async function* decodedOnes(
  paths: AsyncIterable<string | PictureBytes>,
  reader: PictureReader,
  channels: number,
): AsyncGenerator<Decoded> {
  for await (const source of paths) {
    const file = nameOf(source);
    const read = await attempt(reader, source);
    if ("error" in read) {
      yield { files: [{ file, error: read.error }], pixels: new Uint8Array(), shape: [0, 0, 0, 0] };
    } else {
      const { pixels, height, width } = read;
      yield { files: [{ file }], pixels, shape: [1, height, width, channels] };
    }
  }
}

function nameOf(source: string | PictureBytes): string {
  return typeof source === "string" ? source : source.name;
}

async function attempt(
  reader: PictureReader,
  source: string | PictureBytes,
): Promise<ReadPicture | { readonly error: string }> {
  try {
    return await reader.read(source);
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    return { error: error.message.replace(`${nameOf(source)}: `, "") };
  }
}

function likeliest(probabilities: Float32Array, classes: readonly string[], top: number): Guess[] {
  return classes
    .map((label, c) => ({ label, probability: probabilities[c]! }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, top);
}
