import type { ImageFit } from "../data/files/fit.ts";
import type { DatasetSplits, SplitSet } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { parseModelName } from "../models/index.ts";
import type { TrainConfig } from "../run/config.ts";
import { flagOf } from "../run/config-flags.ts";
import {
  channelsOf,
  evaluationFit,
  inputOf,
  type NetworkInput,
  resizingFor,
} from "../run/input.ts";
import { forChannels, normalizationOf } from "../run/normalization.ts";
import type { Weights } from "../run/weights.ts";

/** timm's defaults of training on photographs. */
const randomCrop: Required<Pick<TrainConfig, "scale" | "ratio" | "hflip">> = {
  scale: [0.08, 1],
  ratio: [3 / 4, 4 / 3],
  hflip: 0.5,
};

/**
 * The config with all that decides what the network sees, so that a resumed run needs its weights no more.
 * @throws UsageError for a change of training images that these images do not take, or weights of oblong images.
 */
export function withInput(
  config: TrainConfig,
  weights: Weights | undefined,
  data: DatasetSplits,
): TrainConfig {
  refuseOtherKinds(config, data);
  const model = parseModelName(config.model);
  const resizing = resizingFor(data.train, model, weights, config);
  if (resizing !== undefined && resizing.height !== resizing.width) {
    throw new UsageError(
      `the weights are for images of ${resizing.height}×${resizing.width}: --img-size is missing`,
      { hint: "training resizes to squares: give their side" },
    );
  }
  const { mean, std } =
    weights === undefined || config.mean !== undefined
      ? config
      : normalizationOf(weights, model, channelsOf(data.train), config);
  return {
    ...config,
    ...(mean && std && { mean: [...mean], std: [...std] }),
    ...(resizing && {
      imgSize: resizing.height,
      cropPct: resizing.cropPct,
      interpolation: resizing.interpolation,
    }),
    ...((data.kind === "files" ? cropsAtRandom(config) : asksForCrops(config)) &&
      withDefaults(config)),
  };
}

/** A probe sees each photograph as it is judged, unless something is said of crops. */
function cropsAtRandom(config: TrainConfig): boolean {
  return config.strategy !== "freeze" || config.views !== undefined || asksForCrops(config);
}

/** Small images are cropped so where they are resized and something is said of it. */
function asksForCrops({ scale, ratio, hflip }: TrainConfig): boolean {
  return [scale, ratio, hflip].some((given) => given !== undefined);
}

function withDefaults({ scale, ratio, hflip }: TrainConfig): typeof randomCrop {
  return {
    scale: scale ?? randomCrop.scale,
    ratio: ratio ?? randomCrop.ratio,
    hflip: hflip ?? randomCrop.hflip,
  };
}

/** Photographs are cropped and mirrored as they are read, small images in memory where they are resized. */
function refuseOtherKinds(config: TrainConfig, { kind, name }: DatasetSplits): void {
  if (kind === "files") {
    if (config.keepSide !== undefined && !cropsAtRandom(config)) {
      throw new UsageError(`${flagOf(["keepSide"])}: nothing is cropped at random under freeze`, {
        hint: "give --scale too, or leave it",
      });
    }
    if (!config.augment.flip) return;
    throw new UsageError(
      `${flagOf(["augment", "flip"])}: for small images in memory, and ${name} is of photographs in files`,
      { hint: "those are mirrored by --hflip" },
    );
  }
  const which = `${name} is of small images in memory`;
  if (config.keepSide !== undefined) {
    throw new UsageError(`${flagOf(["keepSide"])}: for photographs in files, and ${which}`, {
      hint: "leave it out: nothing has to be read again",
    });
  }
  if (config.imgSize !== undefined) return;
  const key = (["scale", "ratio", "hflip"] as const).find((name) => config[name] !== undefined);
  if (key === undefined) return;
  throw new UsageError(`${flagOf([key])}: ${which}, which stay as they are`, {
    hint: "give --img-size to have them cropped to that size, or take --augment-crop and --augment-flip",
  });
}

/** What the network sees, of a config that is complete. */
export function trainingInput(config: TrainConfig, data: DatasetSplits): NetworkInput {
  const { imgSize, cropPct, interpolation } = config;
  const channels = channelsOf(data.train);
  const mean = forChannels(config.mean ?? data.mean, channels, "mean");
  const std = forChannels(config.std ?? data.std, channels, "std");
  const resizing =
    imgSize === undefined || cropPct === undefined || interpolation === undefined
      ? undefined
      : { height: imgSize, width: imgSize, cropPct, interpolation };
  return inputOf(data.train, { mean, std }, resizing);
}

/** How training brings images to the network's size: as judging does, or cropped anew in every epoch. */
export function trainingFit(
  { scale, ratio, hflip, keepSide: from }: TrainConfig,
  input: NetworkInput,
  set: SplitSet,
): ImageFit | undefined {
  const fit = evaluationFit(input, set);
  if (fit === undefined || scale === undefined || ratio === undefined || hflip === undefined) {
    return fit;
  }
  return { ...fit, crop: { kind: "random", scale, ratio, hflip, ...(from && { from }) } };
}
