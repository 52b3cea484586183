import { ThawError } from "../errors.ts";
import { type ImageSet, imageBytes } from "./imageset.ts";

export interface ChannelStatistics {
  /** A value a channel, of pixel/255. */
  readonly mean: readonly number[];
  /** Population standard deviation (divided by n), of pixel/255. */
  readonly std: readonly number[];
}

/** Squares of so many bytes add up to less than 2^31, so that the loop stays in int32. */
const BLOCK = 32_768;

/** Mean and deviation of each channel over all images. The sums are whole numbers, hence exact. */
export function channelStatistics(set: ImageSet): ChannelStatistics {
  const plane = set.height * set.width;
  const { images, channels, count } = set;
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  const stride = imageBytes(set);
  for (let row = 0; row < count; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const start = row * stride + channel * plane;
      for (let block = start; block < start + plane; block += BLOCK) {
        const end = Math.min(start + plane, block + BLOCK);
        let sum = 0;
        let square = 0;
        for (let i = block; i < end; i++) {
          const value = images[i]!;
          sum = (sum + value) | 0;
          square = (square + Math.imul(value, value)) | 0;
        }
        sums[channel]! += sum;
        squares[channel]! += square;
      }
    }
  }
  const n = count * plane;
  // In whole numbers: rounding leaves of a constant channel's variance what is no deviation.
  const isConstant = (channel: number) =>
    BigInt(n) * BigInt(squares[channel]!) === BigInt(sums[channel]!) ** 2n;
  const mean = [...sums].map((sum) => (n === 0 ? 0 : sum / n / 255));
  const std = mean.map((m, channel) => {
    if (isConstant(channel)) return 0;
    const variance = squares[channel]! / n / (255 * 255) - m * m;
    return Math.sqrt(Math.max(0, variance));
  });
  return { mean, std };
}

/**
 * Deviations below that, of pixel/255, are those of a channel that is the same nearly everywhere: a hundredth of a grey level.
 * Divided by them, the few pixels that differ, or those of other images, would be all that a network sees.
 */
const NO_DEVIATION = 0.01 / 255;

/** What batches are normalised with: the deviation of a channel that is the same everywhere counts as 1. */
export function usableStatistics(set: ImageSet): {
  readonly statistics: ChannelStatistics;
  readonly notes: readonly string[];
} {
  const { mean, std } = channelStatistics(set);
  const names = std.length === 3 ? ["red", "green", "blue"] : std.map((_, i) => `channel ${i}`);
  const constant = std.flatMap((deviation, i) =>
    deviation < NO_DEVIATION ? [`${names[i]} is ${Math.round(255 * mean[i]!)}`] : [],
  );
  if (constant.length === 0 || set.count === 0) return { statistics: { mean, std }, notes: [] };
  return {
    statistics: { mean, std: std.map((deviation) => (deviation < NO_DEVIATION ? 1 : deviation)) },
    notes: [
      `warning: ${constant.join(" and ")} at every pixel of the training images, or nearly: a standard deviation of 1 is used instead`,
    ],
  };
}

/** @throws ThawError where all images are the same, so that nothing can tell their classes apart. */
export function refuseIdentical(set: ImageSet): void {
  const size = imageBytes(set);
  const { images, count } = set;
  if (count < 2) return;
  const first = Buffer.from(images.buffer, images.byteOffset, size);
  for (let row = 1; row < count; row++) {
    if (first.compare(images, row * size, (row + 1) * size) !== 0) return;
  }
  const isFlat = first.every((value) => value === first[0]);
  const what = isFlat ? `uniform, with ${first[0]} at every pixel` : "identical";
  throw new ThawError(`all ${count} training images are ${what}: nothing can be learned`, {
    hint: "check the data: the images may be masks or damaged",
  });
}
