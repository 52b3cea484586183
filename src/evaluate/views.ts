import type { Batch } from "../data/loader.ts";
import type { Normalization } from "../data/transforms/normalize.ts";
import type { Classifier } from "../models/index.ts";
import { type Compute, predictProbabilities } from "../models/predict.ts";
import type { Tta } from "../run/evaluation.ts";
import { ops, scope, type Tensor, unscoped } from "../tensor/index.ts";

/**
 * Class probabilities [count, classes], the mean over the views of each image. `flip`: the image and its mirror image.
 * `ten-crop`: torchvision's `TenCrop` to the images' own size, of the images with {@link tenCropPadding} of black around
 * them.
 */
export async function predictViews(
  model: Classifier,
  batches: AsyncIterable<Batch>,
  count: number,
  compute: Compute,
  { tta, input }: { readonly tta: Tta; readonly input: Normalization },
): Promise<Float32Array> {
  const classes = model.head.weight.size(0);
  const result = new Float32Array(count * classes);
  let row = 0;
  for await (const batch of batches) {
    using images = batch.images;
    using labels = batch.labels;
    const seen = tta === "flip" ? undefined : padded(images, input);
    using _seen = seen;
    const size: Size = [images.size(2), images.size(3)];
    const views = tta === "flip" ? [same, mirrored] : tenCrop(size);
    const sum = new Float64Array(batch.size * classes);
    for (const view of views) {
      // The prediction uses up its batch.
      const part = unscoped(() => ({ images: view(seen ?? images), labels: ops.detach(labels) }));
      const one = single({ ...batch, ...part });
      const probabilities = await predictProbabilities(model, one, batch.size, compute);
      for (let i = 0; i < sum.length; i++) sum[i]! += probabilities[i]!;
    }
    for (let i = 0; i < sum.length; i++) result[row * classes + i] = sum[i]! / views.length;
    row += batch.size;
  }
  return result;
}

type Size = readonly [height: number, width: number];
type View = (images: Tensor) => Tensor;

const same: View = (images) => ops.detach(images);
const mirrored: View = (images) => ops.flip(images, [3]);

async function* single(batch: Batch): AsyncGenerator<Batch> {
  yield batch;
}

/** Pixels of black on every side before ten crops: an eighth of the shorter side, 4 of 32 as training's crops have them. */
export function tenCropPadding([height, width]: Size): number {
  return Math.max(1, Math.round(Math.min(height, width) / 8));
}

/** Normalised images with black around them. */
function padded(images: Tensor, { mean, std }: Normalization): Tensor {
  const pad = tenCropPadding([images.size(2), images.size(3)]);
  return unscoped(() =>
    scope(() => {
      const channels = mean.map((m, c) => {
        const one = ops.slice(images, { dim: 1, start: c, end: c + 1 });
        return ops.constantPadNd(one, [pad, pad, pad, pad], { value: -m / std[c]! });
      });
      return ops.cat(channels, { dim: 1 });
    }),
  );
}

/**
 * torchvision's `TenCrop(size)` of larger images [N, C, H, W]: four corners (top left, top right, bottom left, bottom
 * right) and the centre, then the same of the mirrored images.
 */
export function tenCrop([height, width]: Size): View[] {
  const cut =
    (flip: boolean, at: (spare: number) => number, across: (spare: number) => number): View =>
    (images) =>
      scope(() => {
        const [h, w] = [images.size(2), images.size(3)];
        const [top, left] = [at(h - height), across(w - width)];
        const from = flip ? ops.flip(images, [3]) : images;
        const rows = ops.slice(from, { dim: 2, start: top, end: top + height });
        return ops.slice(rows, { dim: 3, start: left, end: left + width });
      });
  const first = () => 0;
  const last = (spare: number) => spare;
  return [false, true].flatMap((flip) => [
    cut(flip, first, first),
    cut(flip, first, last),
    cut(flip, last, first),
    cut(flip, last, last),
    cut(flip, middle, middle),
  ]);
}

/** Python's round(spare / 2): halves go to the even side. */
function middle(spare: number): number {
  const half = Math.floor(spare / 2);
  return spare % 2 === 1 && half % 2 === 1 ? half + 1 : half;
}
