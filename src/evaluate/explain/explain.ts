import type { DatasetSplits } from "../../data/imageset.ts";
import { Loader } from "../../data/loader.ts";
import { chooseCompute } from "../../models/index.ts";
import { VisionTransformer } from "../../models/vit.ts";
import { Turns } from "../../platform/stop.ts";
import { evaluationFit, type NetworkInput } from "../../run/input.ts";
import { loadBestModel } from "../../run/load-model.ts";
import { ops, scope, type Tensor } from "../../tensor/index.ts";
import { checkClasses } from "../judge.ts";
import { attentionRollout } from "./attention-rollout.ts";
import { gradCam } from "./grad-cam.ts";

/** Where a model looks in one image. */
export interface Explanation {
  /** Its row in the test split. */
  readonly row: number;
  readonly truth: string;
  readonly predicted: string;
  /** Of the predicted class. */
  readonly probability: number;
  /** [height, width] of the network's input, 0 to 1; all 0 where the map says nothing. */
  readonly map: Float32Array;
}

export interface Explanations {
  readonly method: "Grad-CAM" | "attention rollout";
  readonly input: NetworkInput;
  readonly images: readonly Explanation[];
}

/** Images that are computed at a time: gradients keep every activation. */
const BATCH = 16;

/**
 * Explains a run's best model on the first `perClass` test images of every class, in fp32: a vision transformer by
 * attention rollout, all else by Grad-CAM of the last feature map.
 * @param signal Aborted: ends with a StoppedError before the next images.
 * @throws ThawError where the run has no model yet, or the images are not for it.
 */
export async function explainRun(
  dir: string,
  data: DatasetSplits,
  { perClass, signal }: { readonly perClass: number; readonly signal?: AbortSignal },
): Promise<Explanations> {
  const compute = chooseCompute({ device: "auto", precision: "fp32" });
  const { model, classes, input } = loadBestModel(dir, compute);
  using _owned = model;
  const { test } = data;
  checkClasses(data.name, test.classes, classes);
  const fit = evaluationFit(input, test);
  const { mean, std, height, width } = input;
  const rows = firstOfEach(test.labels, test.classes.length, perClass);
  await using loader = new Loader(test, {
    ...{ mean, std, seed: 0, memoryFormat: "contiguous", batchSize: BATCH, workers: 1 },
    ...(fit && { fit }),
  });
  const isViT = model instanceof VisionTransformer;
  const explain = (images: Tensor) =>
    isViT ? attentionRollout(model, images) : gradCam(model, images);
  const images: Explanation[] = [];
  const turns = new Turns(signal);
  for (let from = 0; from < rows.length; from += BATCH) {
    await turns.next();
    const some = rows.subarray(from, from + BATCH);
    const batch = await loader.batchOf(some, 1);
    using pixels = batch.images;
    using _labels = batch.labels;
    scope(() => {
      const onDevice = ops.toCopy(pixels, { device: compute.device });
      const { maps, probabilities } = explain(onDevice);
      const large = ops.upsampleBilinear2d(ops.unsqueeze(maps, 1), [height, width], false);
      const said = probabilities.toArray("float32");
      const values = ops.contiguous(large).toArray("float32");
      for (const [i, row] of some.entries()) {
        const own = said.subarray(i * classes.length, (i + 1) * classes.length);
        const best = own.indexOf(Math.max(...own));
        images.push({
          row,
          truth: test.classes[test.labels[row]!]!,
          predicted: classes[best]!,
          probability: own[best]!,
          map: stretched(
            values.subarray(i * height * width, (i + 1) * height * width),
            isViT ? "smallest" : "zero",
          ),
        });
      }
    });
  }
  return { method: isViT ? "attention rollout" : "Grad-CAM", input, images };
}

/** In the order of the classes. */
function firstOfEach(labels: ArrayLike<number>, classes: number, perClass: number): Int32Array {
  const found: number[][] = Array.from({ length: classes }, () => []);
  for (let row = 0; row < labels.length; row++) {
    const own = found[labels[row]!]!;
    if (own.length < perClass) own.push(row);
  }
  return Int32Array.from(found.flat());
}

/**
 * As 0 to 1: Grad-CAM from 0, which is no evidence, to the largest value; attention, which is never 0, from the smallest.
 */
export function stretched(values: Float32Array, from: "zero" | "smallest"): Float32Array {
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const low = from === "zero" ? 0 : least;
  return values.map((value) => (most > low ? (value - low) / (most - low) : 0));
}
