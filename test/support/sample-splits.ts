import type { ImageSet, MemorySplits } from "../../src/data/imageset.ts";
import { type RandomStream, seedStream } from "../../src/data/random.ts";

export interface SampleShape {
  readonly count: number;
  readonly size: number;
  readonly classes: readonly string[];
}

/** Grey images whose classes are stripes of another period under noise: learnt in a few dozen steps. */
export function sampleImages(
  { count, size, classes }: SampleShape,
  random: RandomStream,
): ImageSet {
  const images = new Uint8Array(count * size * size);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes.length);
  for (let i = 0; i < images.length; i++) {
    const label = labels[Math.floor(i / (size * size))]!;
    const bright = (i % size) % (label + 2) === 0;
    images[i] = (bright ? 140 : 0) + random.int(0, 110);
  }
  return { images, labels, count, channels: 1, height: size, width: size, classes };
}

/** Splits that need no file: 16 × 16 pixels, three classes. */
export function sampleSplits(counts = { train: 60, val: 24, test: 24 }): MemorySplits {
  const classes = ["coat", "bag", "boot"];
  const split = (name: "train" | "val" | "test") =>
    sampleImages({ count: counts[name], size: 16, classes }, seedStream(7, `sample/${name}`));
  return {
    kind: "memory",
    name: "sample",
    fingerprint: "sample",
    train: split("train"),
    val: split("val"),
    test: split("test"),
    mean: [0.4],
    std: [0.3],
    notes: [],
  };
}
