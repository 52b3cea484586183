import { classFinder, unknownClasses } from "../data/class-names.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { type Classifier, type ComputeChoice, freeze } from "../models/index.ts";
import { forward } from "../models/predict.ts";
import type { TrainConfig } from "../run/config.ts";
import type { NetworkInput } from "../run/input.ts";
import { loadBestModel, type ModelFile } from "../run/load-model.ts";
import { modelDigest } from "../run/model-digest.ts";
import { findRun } from "../run/record.ts";
import { inference, ops, scope, Tensor, unscoped } from "../tensor/index.ts";

/** A trained model that answers for the images of a student, frozen and in evaluation mode. */
export class Teacher implements Disposable {
  readonly #model: Classifier;
  readonly #compute: ComputeChoice;
  /** Undefined where its classes stand in the student's order. */
  readonly #order: Tensor | undefined;
  /** From the student's normalisation to its own, a factor and an addend a channel; undefined where they are one. */
  readonly #renormalise: readonly [Tensor, Tensor] | undefined;
  /** From the student's size to its own; undefined where they are one. */
  readonly #resize: ((images: Tensor) => Tensor) | undefined;

  /** @param file Used up. */
  constructor(file: ModelFile, data: Student, compute: ComputeChoice) {
    const { model, classes, input } = file;
    this.#model = model;
    this.#compute = compute;
    freeze(model, [input.channels, input.height, input.width], compute);
    this.#resize = sizeOf(data) === sizeOf(input) ? undefined : (images) => resized(images, input);
    const order = data.classes.map(classFinder(classes)).map(BigInt);
    const isSame = order.every((from, to) => from === BigInt(to));
    this.#order = isSame ? undefined : lasting(BigInt64Array.from(order), [order.length], compute);
    const factors = data.std.map((own, i) => own / input.std[i]!);
    const addends = data.mean.map((own, i) => (own - input.mean[i]!) / input.std[i]!);
    const shape = [1, factors.length, 1, 1];
    this.#renormalise =
      factors.every((factor) => factor === 1) && addends.every((addend) => addend === 0)
        ? undefined
        : [
            lasting(Float32Array.from(factors), shape, compute),
            lasting(Float32Array.from(addends), shape, compute),
          ];
  }

  /** A batch as the student sees it, [N, C, H, W] → logits [N, classes] in the order of the student's classes. */
  logits(images: Tensor): Tensor {
    return scope(() => {
      const answers = inference(() => {
        const own = this.#renormalise;
        const normalised = own === undefined ? images : ops.add(ops.mul(images, own[0]), own[1]);
        const seen = this.#resize?.(normalised) ?? normalised;
        return forward(this.#model, seen, this.#compute);
      });
      // A copy: what inference mode makes can take no part in the student's backward pass.
      return this.#order === undefined
        ? ops.clone(answers)
        : ops.indexSelect(answers, 1, this.#order);
    });
  }

  [Symbol.dispose](): void {
    this.#model[Symbol.dispose]();
    for (const tensor of [this.#order, ...(this.#renormalise ?? [])]) tensor?.dispose();
  }
}

/** Of the student what its teacher has to fit. */
export interface Student
  extends Pick<NetworkInput, "channels" | "height" | "width" | "mean" | "std" | "pixelRange"> {
  readonly classes: readonly string[];
}

/**
 * The best model of the run that a config names as teacher; undefined where it names none.
 * @throws UsageError where there is no such run, or its classes or images are not the student's.
 */
export function openTeacher(
  { teacher, out }: TrainConfig,
  { name, train }: DatasetSplits,
  input: NetworkInput,
  compute: ComputeChoice,
): Teacher | undefined {
  if (teacher === undefined) return undefined;
  const student = { ...input, classes: train.classes };
  const file = loadBestModel(findRun(teacher, out), compute);
  try {
    refuseMisfit(teacher, name, file, student);
    return new Teacher(file, student, compute);
  } catch (error) {
    file.model[Symbol.dispose]();
    throw error;
  }
}

/** What the environment records of a teacher: its run may be trained again tomorrow. */
export function describeTeacher({ teacher, out }: TrainConfig): { teacher?: string } {
  if (teacher === undefined) return {};
  const digest = modelDigest(findRun(teacher, out));
  return digest === undefined ? {} : { teacher: digest };
}

function refuseMisfit(
  teacher: string,
  data: string,
  { classes, input }: ModelFile,
  student: Student,
): void {
  const lacks = unknownClasses(student.classes, classes);
  const extra = unknownClasses(classes, student.classes);
  if (lacks.length > 0 || extra.length > 0) {
    const problems = [
      ...(lacks.length > 0 ? [`it does not know ${lacks.join(", ")}`] : []),
      ...(extra.length > 0 ? [`it knows ${extra.join(", ")} besides`] : []),
    ];
    throw new UsageError(
      `--teacher ${teacher}: its classes are not those of ${data}: ${problems.join("; ")}`,
      { hint: "teach with a run of the same classes" },
    );
  }
  const { channels, height, width } = student;
  // Resizing would have to distort them, or cut off what the student sees.
  if (input.channels !== channels || input.height * width !== input.width * height) {
    throw new UsageError(
      `--teacher ${teacher}: it takes images of ${sizeOf(input)}, and these are ${sizeOf(student)}`,
      { hint: "teach with a run on images of as many channels and the same proportions" },
    );
  }
  if (String(input.pixelRange) !== String(student.pixelRange)) {
    const range = ({ pixelRange }: Pick<Student, "pixelRange">): string =>
      pixelRange === undefined ? "without --pixel-range" : `with --pixel-range ${pixelRange}`;
    throw new UsageError(
      `--teacher ${teacher}: it was trained ${range(input)}, and these images are read ${range(student)}`,
      { hint: "teach with a run that reads pixels the same way" },
    );
  }
}

function sizeOf({ channels, height, width }: Pick<Student, "channels" | "height" | "width">) {
  return `${channels}×${height}×${width}`;
}

/** [N, C, H, W] in the size of a model's input, by Pillow's filters as its own images were, but not rounded. */
function resized(images: Tensor, { height, width, interpolation }: NetworkInput): Tensor {
  const resize = interpolation === "bicubic" ? ops.upsampleBicubic2dAa : ops.upsampleBilinear2dAa;
  return resize(images, [height, width], false);
}

function lasting(
  values: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>,
  shape: readonly number[],
  { device }: ComputeChoice,
): Tensor {
  return unscoped(() => {
    using made = Tensor.from(values, shape);
    return ops.toCopy(made, { device });
  });
}
