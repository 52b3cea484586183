import type { SplitSet } from "../data/imageset.ts";
import { ExitCode, ThawError } from "../errors.ts";
import { Tensor } from "../tensor/index.ts";
import { arrayOf, type BatchOptions, batchesOf, largest } from "./feed.ts";
import type { ExportMetadata } from "./metadata.ts";
import { frontGraph, pictureFront } from "./preprocessing.ts";
import { picturesOf, pixelsOf } from "./present.ts";
import { bytesOf } from "./quantize/calibrate.ts";
import { OnnxSession, type OrtArray } from "./session.ts";
import type { Subject } from "./subject.ts";

/** How a file's answers differ from its model's. */
export interface Parity {
  readonly images: number;
  /** Largest difference of an output, for the very same normalised images. */
  readonly maxDifference: number;
  /** Largest output of the model, without its sign. */
  readonly largestOutput: number;
  /** What `maxDifference` may be. */
  readonly allowedDifference: number;
  /** Share of images of which both name the same class first, or two that are equal but for rounding. */
  readonly agreement: number;
  /** Images with an output that is NaN or infinite; only where there are any. */
  readonly notFinite?: { readonly model: number; readonly file: number };
  /** How a file's own resizing differs from that of training, in grey levels of 255. */
  readonly resizing?: { readonly largest: number; readonly mean: number };
  readonly passed: boolean;
}

/**
 * What an export has to keep to. Outputs may differ by `rtol` of the model's largest output: rounding grows with the
 * numbers. Networks come to 1e-6 in float32 and to 1e-3 in float16. `rounding`: outputs of a model that are nearer to each other,
 * relative to the larger, are no decision for one class. int8 is judged by its accuracy, too (`--max-drop`).
 */
export const tolerances = {
  fp32: { rtol: 1e-4, agreement: 0.999, rounding: 2 ** -20 },
  fp16: { rtol: 1e-2, agreement: 0.99, rounding: 2 ** -10 },
  int8: { rtol: 0.5, agreement: 0.6, rounding: 2 ** -7 },
} as const satisfies Record<ExportMetadata["precision"], object>;

/** For outputs that are all 0. */
const ATOL = 1e-8;

/**
 * Grey levels that resizing in the file may differ by, and the share of images that must get the same class all the same.
 * ONNX Runtime's sums are rounded otherwise than Pillow's here and there: by a level, by two where a picture is enlarged.
 */
export const resizingTolerance = { largest: 3, mean: 0.25, agreement: 0.99 } as const;

export interface ParityOptions extends BatchOptions {
  readonly precision: ExportMetadata["precision"];
  readonly takes: ExportMetadata["takes"];
  /** What outputs may differ by, in place of the share of the largest one. */
  readonly maxDifference?: number | undefined;
  /** Points of accuracy that int8 may lose: so many images more may get another class. */
  readonly maxDrop?: number | undefined;
}

/** Asks file and model about the same images. @throws ThawError where there are none. */
export async function checkParity(
  session: OnnxSession,
  subject: Subject,
  set: SplitSet,
  { precision, takes, maxDifference: allowed, maxDrop, ...options }: ParityOptions,
): Promise<Parity> {
  if (set.count === 0) {
    throw new ThawError("there is no image to compare the file with its model on", {
      hint: "parity is part of the export: the run's data must have validation or test images",
    });
  }
  const { input, classes } = subject.metadata;
  await using resizing = takes === "pictures" ? await Resizing.open(input, set) : undefined;
  const count = classes.length;
  const { rtol, rounding } = tolerances[precision];
  let [agreed, maxDifference, largestOutput] = [0, 0, 0];
  const notFinite = { model: 0, file: 0 };
  for await (const { images, first, labels } of batchesOf(set, input, options)) {
    const said = subject.answer(images);
    const own = await resizing?.ask(session, images, first);
    const answers =
      own?.answers ??
      (await answersOf(session, takes === "pixels" ? pixelsOf(images, input) : arrayOf(images)));
    if (answers.length !== said.length) {
      throw new ThawError(
        `the file gives ${answers.length} numbers where the model gives ${said.length}`,
      );
    }
    const same = own === undefined ? said : answerTo(subject, own.normalised);
    for (const [i, value] of same.entries()) {
      // A NaN stays: Math.max gives it on.
      maxDifference = Math.max(maxDifference, Math.abs(value - answers[i]!));
      largestOutput = Math.max(largestOutput, Math.abs(value));
    }
    for (let row = 0; row < labels.length; row++) {
      const [own, other] = [said, answers].map((outputs) => largest(outputs, row, count));
      if (isSame(said, row * count + own!, row * count + other!, rounding)) agreed++;
      if (!isFiniteRow(same, row, count)) notFinite.model++;
      if (!isFiniteRow(answers, row, count)) notFinite.file++;
    }
  }
  const agreement = agreed / set.count;
  const allowedDifference = allowed ?? ATOL + rtol * largestOutput;
  const differs = resizing?.differs();
  const hasAll = notFinite.model + notFinite.file === 0;
  const passed =
    hasAll &&
    maxDifference <= allowedDifference &&
    agreement >= leastAgreement(precision, differs !== undefined, maxDrop) &&
    isAllowed(differs);
  return {
    ...{ images: set.count, maxDifference, largestOutput, allowedDifference, agreement, passed },
    ...(!hasAll && { notFinite }),
    ...(differs && { resizing: differs }),
  };
}

/** Both are the first class of an image where no more than rounding lies between them. */
function isSame(said: Float32Array, own: number, other: number, rounding: number): boolean {
  if (own === other) return true;
  const [first, second] = [said[own]!, said[other]!];
  return first - second <= rounding * Math.max(Math.abs(first), Math.abs(second));
}

function isFiniteRow(outputs: Float32Array, row: number, count: number): boolean {
  return outputs.subarray(row * count, (row + 1) * count).every(Number.isFinite);
}

function leastAgreement(
  precision: ExportMetadata["precision"],
  resizes: boolean,
  maxDrop = 1,
): number {
  const { agreement } = tolerances[precision];
  if (precision === "int8") return Math.max(0, agreement - Math.max(0, maxDrop) / 100);
  return resizes ? Math.min(agreement, resizingTolerance.agreement) : agreement;
}

function isAllowed(differs: Parity["resizing"]): boolean {
  const { largest, mean } = resizingTolerance;
  return differs === undefined || (differs.largest <= largest && differs.mean <= mean);
}

/** @throws ThawError with exit code 3 that says what differs, for a file that does not say what its model says. */
export function refuseDifference(
  parity: Parity,
  precision: ExportMetadata["precision"],
  maxDrop?: number,
): void {
  if (parity.passed) return;
  const { maxDifference, largestOutput, allowedDifference, agreement, resizing, images } = parity;
  if (parity.notFinite !== undefined) throw notFiniteError(parity, precision);
  const short = (value: number) => String(Number(value.toPrecision(3)));
  const least = leastAgreement(precision, resizing !== undefined, maxDrop);
  const resized = (by: NonNullable<Parity["resizing"]>) =>
    `its resizing by up to ${by.largest} grey levels, ${by.mean.toPrecision(3)} on average, `;
  const limits = [
    `a difference of at most ${short(allowedDifference)}`,
    ...(resizing
      ? [
          `resizing errors of at most ${resizingTolerance.largest} grey levels, ${resizingTolerance.mean} on average,`,
        ]
      : []),
    `at least ${short(100 * least)} % of images with the same class`,
  ];
  const isLarge = maxDifference > allowedDifference;
  const way = isLarge ? `; --max-difference ${short(2 * maxDifference)} allows more` : "";
  throw new ThawError(
    `the exported file does not match its model: outputs differ by up to ${maxDifference.toPrecision(3)} ` +
      `(the largest output is ${short(largestOutput)}), ${resizing ? resized(resizing) : ""}` +
      `and ${(100 * agreement).toFixed(2)} % of ${images} images get the same class`,
    {
      exitCode: ExitCode.gate,
      hint: `an export in ${precision} must have ${limits.join(" and ")}${way}`,
    },
  );
}

function notFiniteError(
  { notFinite, images }: Parity,
  precision: ExportMetadata["precision"],
): ThawError {
  const { model, file } = notFinite!;
  const [who, count] = model > 0 ? ["model", model] : ["file", file];
  const overflow = "float16 overflows above 65,504: export without --half";
  const hint =
    model > 0
      ? "its weights are damaged, or training diverged: train it again"
      : precision === "fp16"
        ? overflow
        : "this is a bug in Thaw: please report it";
  return new ThawError(
    `the ${who}'s outputs are NaN or infinite for ${count} of ${images} images`,
    { exitCode: ExitCode.gate, hint },
  );
}

async function answersOf(session: OnnxSession, feed: OrtArray): Promise<Float32Array> {
  return (await session.first(feed)).data as Float32Array;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function answerTo(subject: Subject, { data, shape }: OrtArray): Float32Array {
  using images = Tensor.borrow(data, shape);
  return subject.answer(images);
}

/** The file's preprocessing by itself: what its model then sees, and how far that is from what it was trained on. */
class Resizing implements AsyncDisposable {
  readonly #session: OnnxSession;
  readonly #set: SplitSet;
  readonly #input: ExportMetadata["input"];
  #largest = 0;
  #sum = 0;
  #values = 0;

  private constructor(session: OnnxSession, set: SplitSet, input: ExportMetadata["input"]) {
    this.#session = session;
    this.#set = set;
    this.#input = input;
  }

  static async open(input: ExportMetadata["input"], set: SplitSet): Promise<Resizing> {
    const graph = frontGraph(pictureFront(input), input);
    return new Resizing(await OnnxSession.open(bytesOf(graph)), set, input);
  }

  /**
   * What `file` says of the pictures that a batch was made of, and what its preprocessing makes of them. They are whole,
   * and read one after the other: a batch of photographs would be gigabytes.
   */
  async ask(file: OnnxSession, images: Tensor, first: number) {
    const seen: Float32Array[] = [];
    const answers: Float32Array[] = [];
    for await (const feed of picturesOf(this.#set, first, images.shape[0]!, this.#input)) {
      seen.push(await answersOf(this.#session, feed));
      answers.push(await answersOf(file, feed));
    }
    const data = joined(seen);
    this.#compare(images.toArray("float32"), data);
    return { answers: joined(answers), normalised: { data, shape: images.shape } };
  }

  #compare(ours: Float32Array, theirs: Float32Array): void {
    const { std, channels, height, width } = this.#input;
    for (let i = 0; i < ours.length; i++) {
      const deviation = std[Math.floor(i / (height * width)) % channels]!;
      const levels = 255 * deviation * Math.abs(ours[i]! - theirs[i]!);
      this.#sum += levels;
      this.#largest = Math.max(this.#largest, levels);
    }
    this.#values += ours.length;
  }

  /** Rounded: the values are whole levels but for float32's own rounding. */
  differs(): { largest: number; mean: number } {
    return { largest: Math.round(this.#largest * 100) / 100, mean: this.#sum / this.#values };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session[Symbol.asyncDispose]();
  }
}
