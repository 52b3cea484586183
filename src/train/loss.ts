import { classFinder, unknownClass } from "../data/class-names.ts";
import { classCounts, type SplitSet } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { crossEntropy, distillation, mixedCrossEntropy } from "../nn/index.ts";
import type { TrainConfig } from "../run/config.ts";
import { ops, scope, type Tensor } from "../tensor/index.ts";
import type { Loss } from "./step.ts";
import type { Teacher } from "./teacher.ts";

/**
 * The loss that a config asks for: cross-entropy and, with a teacher, α of the distillation beside 1 − α
 * of it. (Hinton et al. 2015, §2) Of mixed images both labels count by their shares; the teacher sees the mixture.
 */
export function makeLoss(
  { smoothing, distillAlpha = 0.5, distillTemperature = 4 }: TrainConfig,
  weight: Tensor | undefined,
  teacher: Pick<Teacher, "logits"> | undefined,
): Loss {
  const options = { labelSmoothing: smoothing, weight };
  const labelled: Loss = (logits, { labels, lambda }) =>
    lambda === undefined
      ? crossEntropy(logits, labels, options)
      : mixedCrossEntropy(logits, labels, lambda, options);
  if (teacher === undefined) return labelled;
  return (logits, targets) =>
    scope(() => {
      const taught = distillation(logits, teacher.logits(targets.images), distillTemperature);
      return ops.add(
        ops.mulScalar(taught, distillAlpha),
        ops.mulScalar(labelled(logits, targets), 1 - distillAlpha),
      );
    });
}

function inFloat32(weights: readonly number[]): Float32Array<ArrayBuffer> {
  const rounded = Float32Array.from(weights);
  const at = rounded.findIndex((weight) => !(weight > 0 && Number.isFinite(weight)));
  if (at < 0) return rounded;
  const becomes = rounded[at] === 0 ? "0" : String(rounded[at]);
  throw new UsageError(`--class-weights: ${weights[at]} is ${becomes} in float32`, {
    hint: "only their ratios matter: scale all weights to around 1",
  });
}

/**
 * A weight a class, in the classes' order: as given, by name or by place, or `balanced`, n / (classes · count) of the training images as scikit-learn's.
 * Undefined where none is asked for.
 * @throws UsageError where the weights are not of these classes, or a class has no images.
 */
export function classWeights(
  { classWeights: asked }: Pick<TrainConfig, "classWeights">,
  set: Pick<SplitSet, "labels" | "classes" | "count">,
): Float32Array<ArrayBuffer> | undefined {
  if (asked === undefined) return undefined;
  const { classes, count } = set;
  if (asked !== "balanced") {
    if (!Array.isArray(asked)) return weightsByName(asked, classes);
    if (asked.length === classes.length) return inFloat32(asked);
    throw new UsageError(`--class-weights: ${asked.length} weights for ${classes.length} classes`, {
      hint: `give one weight per class, by name (${classes[0]}=1,${classes[1] ?? "…"}=2) or in the order ${classes.join(", ")}`,
    });
  }
  const counts = classCounts(set, "the training images");
  const empty = classes.filter((_, i) => counts[i] === 0);
  if (empty.length > 0) {
    throw new UsageError(
      `--class-weights balanced: there are no training images of ${empty.join(", ")}`,
      { hint: "leave the class out by --classes, or give the weights as a list" },
    );
  }
  return Float32Array.from(counts, (images) => count / (classes.length * images));
}

function weightsByName(
  asked: Readonly<Record<string, number>>,
  classes: readonly string[],
): Float32Array<ArrayBuffer> {
  const find = classFinder(classes);
  const weights = new Map<number, number>();
  for (const [name, weight] of Object.entries(asked)) {
    const at = find(name);
    if (at < 0) throw unknownClass("--class-weights", name, classes);
    if (weights.has(at)) throw new UsageError(`--class-weights: ${classes[at]} is named twice`);
    weights.set(at, weight);
  }
  const missing = classes.filter((_, c) => !weights.has(c));
  if (missing.length > 0) {
    throw new UsageError(`--class-weights: no weight for ${missing.join(", ")}`, {
      hint: "give every class a weight; 1 is neutral",
    });
  }
  return inFloat32(classes.map((_, c) => weights.get(c)!));
}
