import type { SplitSet } from "../data/imageset.ts";
import type { NetworkInput } from "../run/input.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";
import { PictureReader } from "./predict/pictures.ts";
import type { OrtArray } from "./session.ts";

/** Normalised images back as uint8 [n, H, W, C]: what they were before is whole numbers. */
export function pixelsOf(images: Tensor, { mean, std }: NetworkInput): OrtArray {
  const [n, c, h, w] = images.shape as [number, number, number, number];
  const values = scope(() => ops.contiguous(ops.permute(images, [0, 2, 3, 1])).toArray("float32"));
  const data = Uint8Array.from(values, (value, i) =>
    Math.max(0, Math.min(255, Math.round((value * std[i % c]! + mean[i % c]!) * 255))),
  );
  return { data, shape: [n, h, w, c] };
}

/**
 * `count` images of a set as they are in their files or in memory: uint8 [n, h, w, C]. Of files one by one, each read when
 * it is asked for.
 */
export async function* picturesOf(
  set: SplitSet,
  first: number,
  count: number,
  input: NetworkInput,
): AsyncGenerator<OrtArray> {
  if (!("files" in set)) return yield inRows(set, first, count);
  const reader = new PictureReader(input, { whole: true });
  for (const path of set.files.slice(first, first + count)) {
    const { pixels, height, width } = await reader.read(path);
    yield { data: pixels, shape: [1, height, width, input.channels] };
  }
}

/** [n, C, h, w] → [n, h, w, C]. */
function inRows(set: Exclude<SplitSet, { files: unknown }>, first: number, n: number): OrtArray {
  const { channels: c, height: h, width: w } = set;
  const plane = h * w;
  const from = set.images.subarray(first * c * plane, (first + n) * c * plane);
  const data = new Uint8Array(n * c * plane);
  for (let i = 0; i < n; i++) {
    for (let channel = 0; channel < c; channel++) {
      const start = (i * c + channel) * plane;
      for (let p = 0; p < plane; p++) data[(i * plane + p) * c + channel] = from[start + p]!;
    }
  }
  return { data, shape: [n, h, w, c] };
}
