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
  const mean = [...sums].map((sum) => (n === 0 ? 0 : sum / n / 255));
  const std = mean.map((m, channel) => {
    const variance = n === 0 ? 0 : squares[channel]! / n / (255 * 255) - m * m;
    return Math.sqrt(Math.max(0, variance));
  });
  return { mean, std };
}
