import { ThawError } from "../errors.ts";

/** What a model says of N images, checked once; every metric starts from this. */
export interface Predictions {
  readonly count: number;
  readonly classes: number;
  /** [N, C] row-major, each row summing to 1 up to rounding. */
  readonly probabilities: Float32Array;
  /** [N] true class of each image. */
  readonly labels: Int32Array;
  /** [N] most probable class; of equal ones the first, as argmax has it. */
  readonly predicted: Int32Array;
}

/**
 * @throws ThawError where sizes do not agree, there is no image, a label is no class, or a probability is not a number
 * (argmax would quietly call such a row class 0).
 */
export function predictions(
  probabilities: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
): Predictions {
  const count = labels.length;
  if (count === 0) throw new ThawError("metrics need at least one image, none given");
  if (probabilities.length !== count * classes) {
    throw new ThawError(
      `metrics: ${count} labels and ${classes} classes want ${count * classes} probabilities, ${probabilities.length} given`,
    );
  }
  const predicted = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const label = labels[i]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new ThawError(`metrics: label ${label} of image ${i} is none of ${classes} classes`);
    }
    let best = 0;
    for (let c = 0; c < classes; c++) {
      const p = probabilities[i * classes + c]!;
      if (Number.isNaN(p)) {
        throw new ThawError(`metrics: the probability of class ${c} for image ${i} is NaN`, {
          hint: "The model has diverged: evaluate an earlier checkpoint or lower the learning rate.",
        });
      }
      if (p > probabilities[i * classes + best]!) best = c;
    }
    predicted[i] = best;
  }
  return { count, classes, probabilities, labels: Int32Array.from(labels), predicted };
}
