import { ThawError } from "../../errors.ts";
import { PictureReader } from "./pictures.ts";
import type { Predictor } from "./predictor.ts";

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
  readonly batchSize?: number | undefined;
}

interface Decoded {
  readonly files: readonly { readonly file: string; readonly error?: string }[];
  readonly pixels: Uint8Array;
  readonly count: number;
}

/**
 * Labels images in the order of their paths; a file that cannot be read is told, and the others go on. Two batches are
 * held, whatever the number of paths: one is decoded while the model works on the other.
 */
export async function* predictFiles(
  predictor: Predictor,
  paths: AsyncIterable<string>,
  { top = 5, batchSize = 16 }: PredictOptions = {},
): AsyncGenerator<Answer> {
  const { classes, input } = predictor.metadata;
  const reader = new PictureReader(input);
  const image = input.height * input.width * input.channels;
  let pending: Promise<Answer[]> | undefined;
  const ask = async ({ files, pixels, count }: Decoded): Promise<Answer[]> => {
    const said = count === 0 ? new Float32Array() : await predictor.ask(pixels, count);
    let row = 0;
    return files.map(({ file, error }): Answer => {
      if (error !== undefined) return { file, error };
      const own = said.subarray(row * classes.length, (row + 1) * classes.length);
      row++;
      return { file, top: likeliest(own, classes, top) };
    });
  };
  for await (const batch of decodedBatches(paths, reader, { image, batchSize })) {
    const done = await pending;
    pending = ask(batch);
    // Its failure is told by the await above; until then it must not count as unhandled.
    pending.catch(() => {});
    if (done !== undefined) yield* done;
  }
  if (pending !== undefined) yield* await pending;
}

async function* decodedBatches(
  paths: AsyncIterable<string>,
  reader: PictureReader,
  { image, batchSize }: { readonly image: number; readonly batchSize: number },
): AsyncGenerator<Decoded> {
  let files: { file: string; error?: string }[] = [];
  let pixels = new Uint8Array(image * batchSize);
  let count = 0;
  for await (const file of paths) {
    try {
      pixels.set(await reader.read(file), count * image);
      files.push({ file });
      count++;
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      files.push({ file, error: error.message.replace(`${file}: `, "") });
    }
    if (count < batchSize && files.length < 4 * batchSize) continue;
    yield { files, pixels: pixels.subarray(0, count * image), count };
    files = [];
    pixels = new Uint8Array(image * batchSize);
    count = 0;
  }
  if (files.length > 0) yield { files, pixels: pixels.subarray(0, count * image), count };
}

function likeliest(probabilities: Float32Array, classes: readonly string[], top: number): Guess[] {
  return classes
    .map((label, c) => ({ label, probability: probabilities[c]! }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, top);
}
