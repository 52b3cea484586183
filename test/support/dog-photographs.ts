import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { imagenetStatistics } from "../../src/models/imagenet.ts";
import { Tensor } from "../../src/tensor/index.ts";

/** Breeds of the data folder's Stanford Dogs, 224 × 224 pixels, and ImageNet's numbers for them. */
export const dogBreeds = {
  beagle: 162,
  boxer: 242,
  german_shepherd: 235,
  golden_retriever: 207,
  standard_poodle: 267,
} as const;

export interface Photograph {
  /** `breed/file.jpg`. */
  readonly name: string;
  /** ImageNet's. */
  readonly label: number;
}

/** Every fifth photograph of each breed, by file name: those that published accuracies were counted on. */
export function everyFifthDog(folder: string): Photograph[] {
  return Object.entries(dogBreeds).flatMap(([breed, label]) =>
    readdirSync(join(folder, breed))
      .sort()
      .filter((_, i) => i % 5 === 0)
      .map((file) => ({ name: `${breed}/${file}`, label })),
  );
}

/** [N, 3, 224, 224], normalised by ImageNet's statistics; the caller frees it. */
export async function photographs(folder: string, names: readonly string[]): Promise<Tensor> {
  const pixels = 224 * 224;
  const values = new Float32Array(names.length * 3 * pixels);
  const { mean, std } = imagenetStatistics;
  for (const [n, name] of names.entries()) {
    const rgb = await sharp(readFileSync(join(folder, name)))
      .raw()
      .toBuffer();
    for (let channel = 0; channel < 3; channel++) {
      const start = (3 * n + channel) * pixels;
      for (let i = 0; i < pixels; i++) {
        values[start + i] = (rgb[3 * i + channel]! / 255 - mean[channel]!) / std[channel]!;
      }
    }
  }
  return Tensor.from(values, [names.length, 3, 224, 224]);
}
