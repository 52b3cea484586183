import { chain, type Step } from "../nn/index.ts";
import { getThreads, ops, scope, type Tensor } from "../tensor/index.ts";
import type { Classifier } from "./spec.ts";

/** Bytes that a stage makes of one image above which a batch of them leaves the cache, and each layer reads memory. */
const LARGE = 2 ** 20;

/**
 * A model's `embed` for many images without gradients: the first stages, whose maps are large, see as many images at a
 * time as there are threads, so that what one layer writes is still in the cache when the next one reads it; the later
 * ones see all, as it is their weights that are large.
 */
export function embedInParts(model: Classifier): (images: Tensor) => Tensor {
  let early: number | undefined;
  return (images) =>
    scope(() => {
      const { steps } = model;
      const part = Math.max(2, getThreads());
      const count = images.size(0);
      if (count <= part) return model.embed(images);
      early ??= largeSteps(steps, images);
      if (early === 0) return model.embed(images);
      const maps: Tensor[] = [];
      for (let at = 0; at < count; at += part) {
        const few = ops.narrow(images, 0, at, Math.min(part, count - at));
        maps.push(chain(few, ...steps.slice(0, early)));
      }
      return chain(ops.cat(maps), ...steps.slice(early));
    });
}

/** How many steps there are up to the last that makes much of an image. */
function largeSteps(steps: readonly Step[], images: Tensor): number {
  return scope(() => {
    let map = ops.narrow(images, 0, 0, 1);
    let early = 0;
    for (const [i, step] of steps.entries()) {
      map = chain(map, step);
      const values = map.shape.reduce((product, size) => product * size, 1);
      if (values * Float32Array.BYTES_PER_ELEMENT > LARGE) early = i + 1;
    }
    return early;
  });
}
