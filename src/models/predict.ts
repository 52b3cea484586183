import type { Batch } from "../data/loader.ts";
import { autocast, type Device, inference, ops, scope, type Tensor } from "../tensor/index.ts";
import type { Classifier } from "./spec.ts";

/** How a forward pass is computed. */
export interface Compute {
  readonly device: Device;
  /** Autocast's dtype; null computes in fp32. */
  readonly autocast: "bfloat16" | "float16" | null;
}

/**
 * The model's logits under its precision. The head is computed in its own dtype: it costs nothing beside
 * the rest, and bf16's three digits would make equals of the highest of many logits.
 */
export function forward(model: Classifier, images: Tensor, compute: Compute): Tensor {
  if (compute.autocast === null) return model.forward(images);
  return scope(() => {
    const embedding = embed(model, images, compute);
    return model.head.forward(ops.toDtype(embedding, model.head.weight.dtype));
  });
}

/** What the head sees, under the model's precision: [N, C, H, W] → [N, width]. */
export function embed(model: Classifier, images: Tensor, compute: Compute): Tensor {
  return underPrecision(compute, () => model.embed(images));
}

/** Runs a forward pass, or a part of one, in the dtypes of its precision. */
export function underPrecision<T>({ device, autocast: dtype }: Compute, body: () => T): T {
  return dtype === null ? body() : autocast({ device, dtype }, body);
}

/** Moves a batch's tensor to where the model is. */
export function onDevice(tensor: Tensor, device: Device): Tensor {
  return device === "cpu" ? tensor : ops.toCopy(tensor, { device, nonBlocking: true });
}

/**
 * Class probabilities [count, classes] over all batches, in evaluation mode; the model is put back
 * into the mode it was in.
 */
export async function predictProbabilities(
  model: Classifier,
  batches: AsyncIterable<Batch>,
  count: number,
  compute: Compute,
): Promise<Float32Array> {
  const { training } = model;
  const classes = model.head.weight.size(0);
  const result = new Float32Array(count * classes);
  let row = 0;
  model.eval();
  try {
    for await (const batch of batches) {
      using images = batch.images;
      using _labels = batch.labels;
      inference(() =>
        scope(() => {
          const logits = forward(model, onDevice(images, compute.device), compute);
          const probabilities = ops.softmax(logits, 1, { dtype: "float32" });
          result.set(probabilities.toArray("float32"), row * classes);
        }),
      );
      row += batch.size;
    }
  } finally {
    model.train(training);
  }
  return result;
}
