import { join } from "node:path";
import type { ImageFit } from "../data/files/fit.ts";
import type { PixelRange } from "../data/images/levels.ts";
import type { Interpolation } from "../data/images/picture.ts";
import type { SplitSet } from "../data/imageset.ts";
import { Loader } from "../data/loader.ts";
import type { CropPlace } from "../data/transforms/crops.ts";
import { UsageError } from "../errors.ts";
import { cacheHome } from "../libtorch/index.ts";
import { type ModelName, models, type Preprocessing } from "../models/index.ts";
import type { MemoryFormat } from "../tensor/index.ts";
import type { Weights } from "./weights.ts";

/** What a network is given of an image: enough to make its batches from any image again. */
export interface NetworkInput {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** A value a channel, of pixel/255. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** How images are resized to height and width; without it and `cropPct` they have that size. */
  readonly interpolation?: Interpolation | undefined;
  /** Share of the resized image's shorter side that the centre crop keeps. */
  readonly cropPct?: number | undefined;
  /** What is black and white in files of more than 8 bits a sample; default what they say themselves. */
  readonly pixelRange?: PixelRange | undefined;
}

/** Of what size images are for a network, or for a classical model, and how they become so. */
export type ImageShape = Omit<NetworkInput, "mean" | "std">;

/** How images of any size are brought to one. */
export type Resizing = Required<
  Pick<NetworkInput, "height" | "width" | "interpolation" | "cropPct">
>;

/** What config or flags say of it. */
export interface GivenResizing {
  readonly imgSize?: number | undefined;
  readonly cropPct?: number | undefined;
  readonly interpolation?: Interpolation | undefined;
}

/** Channels of all images in files, which are decoded to RGB. */
const RGB = 3;

/** timm's, for a model that nobody published weights of. */
const usual = { crop: 0.875, interpolation: "bilinear" } as const;

export function channelsOf(set: SplitSet): number {
  return "files" in set ? RGB : set.channels;
}

/**
 * How a model wants the images of a set: as given; else as the weights' file or repository says; else as the model's
 * published weights. Undefined for images in memory that stay as they are: where no size is given, and the weights were
 * not trained on resized ones.
 * @throws UsageError for a way of resizing where nothing is resized.
 */
export function resizingFor(
  set: SplitSet,
  model: ModelName,
  weights: Pick<Weights, "input" | "preprocessing"> | undefined,
  given: GivenResizing,
): Resizing | undefined {
  const isSmall = !("files" in set);
  const own = weights?.input;
  if (isSmall && given.imgSize === undefined && own?.interpolation === undefined) {
    for (const [flag, value] of [
      ["--crop-pct", given.cropPct],
      ["--interpolation", given.interpolation],
    ]) {
      if (value === undefined) continue;
      throw new UsageError(`${flag}: small images are used as they are`, {
        hint: "use --img-size to resize them",
      });
    }
    return undefined;
  }
  const published: Preprocessing | undefined =
    weights?.preprocessing ?? models[model].weights[0]?.preprocessing;
  const size = own === undefined ? published?.size : ([own.height, own.width] as const);
  const [height, width] =
    given.imgSize === undefined
      ? (size ?? models[model].imageSize)
      : [given.imgSize, given.imgSize];
  // More than all would need pixels that are not there.
  const crop = Math.min(1, published?.crop ?? usual.crop);
  return {
    height,
    width,
    interpolation:
      given.interpolation ?? own?.interpolation ?? published?.interpolation ?? usual.interpolation,
    cropPct: given.cropPct ?? own?.cropPct ?? (isSmall ? 1 : crop),
  };
}

/** The size of a set's images for a network, resized or as they are. */
export function inputOf(
  set: SplitSet,
  normalization: Pick<NetworkInput, "mean" | "std">,
  resizing: Resizing | undefined,
): NetworkInput {
  const { mean, std } = normalization;
  const ranged = set.pixelRange && { pixelRange: set.pixelRange };
  if (resizing !== undefined) {
    return { channels: channelsOf(set), ...resizing, mean, std, ...ranged };
  }
  if ("files" in set) throw new UsageError("images in files have to be resized to one size");
  const { channels, height, width } = set;
  return { channels, height, width, mean, std, ...ranged };
}

/**
 * How judging brings a set's images to the network's size; undefined where they have it.
 * @throws UsageError for images that the network was not trained to see.
 */
export function evaluationFit(
  input: ImageShape,
  set: SplitSet,
  model = "the model",
): ImageFit | undefined {
  const { channels, height, width, interpolation, cropPct } = input;
  const size = (of: { channels: number; height: number; width: number }) =>
    `${of.channels}x${of.height}x${of.width}`;
  const refuse = (these: string, hint: string) =>
    new UsageError(`${model} takes images of ${size(input)}, and these are ${these}`, { hint });
  if (channelsOf(set) !== channels) {
    const these = "files" in set ? "photographs of 3 channels" : size(set);
    throw refuse(these, "channels are not converted");
  }
  if (interpolation !== undefined && cropPct !== undefined) {
    return { size: [height, width], interpolation, crop: { kind: "center", pct: cropPct } };
  }
  const hint = "it was trained on images of that size as they are: judge it on such";
  if ("files" in set) throw refuse("photographs of other sizes", hint);
  if (set.height !== height || set.width !== width) throw refuse(size(set), hint);
  return undefined;
}

export interface EvaluationOptions {
  readonly memoryFormat: MemoryFormat;
  /** Folder of what is kept between runs; default Thaw's cache. */
  readonly cache?: string | undefined;
  readonly batchSize?: number | undefined;
  /** Which part of resized images is seen; default the middle. */
  readonly place?: CropPlace | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  /** Aborted: the epoch ends with a StoppedError before its next batch. */
  readonly signal?: AbortSignal | undefined;
}

/** A set's images in order, as judging shows them to a network. */
export function evaluationLoader(
  set: SplitSet,
  input: NetworkInput,
  options: EvaluationOptions,
): Loader {
  const { memoryFormat, cache, batchSize = evaluationBatch(input), onNote, signal } = options;
  const fit = placed(evaluationFit(input, set), options.place);
  const { mean, std } = input;
  const plan = { mean, std, memoryFormat, seed: 0, ...(fit && { fit }) };
  return new Loader(set, { ...plan, batchSize, keepIn: picturesFolder(cache), onNote, signal });
}

function placed(fit: ImageFit | undefined, place: CropPlace = "center"): ImageFit | undefined {
  if (place === "center" || fit?.crop.kind !== "center") return fit;
  return { ...fit, crop: { kind: "corner", pct: fit.crop.pct, at: place } };
}

/** Where decoded photographs are kept. */
export function picturesFolder(cache = cacheHome()): string {
  return join(cache, "pictures");
}

/** As large as keeps the cores fed, and 12 million values of float32 at most. */
export function evaluationBatch({ height, width }: Pick<NetworkInput, "height" | "width">): number {
  return Math.max(16, Math.min(256, Math.floor(2 ** 22 / (height * width))));
}
