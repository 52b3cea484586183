import type { LabelledImages } from "../data/datasets/labelled.ts";
import { type DatasetSplits, type SplitSet, subset } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { classificationReport, confusionMatrix } from "../metrics/index.ts";
import {
  type Classifier,
  type ComputeChoice,
  createModel,
  freeze,
  type ModelName,
  parseModelName,
} from "../models/index.ts";
import { type LoadReport, loadWeights, outputsIn } from "../models/weights/index.ts";
import { withoutInit } from "../nn/index.ts";
import {
  channelsOf,
  type GivenResizing,
  inputOf,
  type NetworkInput,
  resizingFor,
} from "../run/input.ts";
import { type Normalization, normalizationOf } from "../run/normalization.ts";
import { type TestResult, testResult } from "../run/results.ts";
import type { Weights } from "../run/weights.ts";
import { Generator } from "../tensor/index.ts";
import { type JudgeOptions, judge } from "./judge.ts";

export interface WeightsQuestion extends GivenResizing {
  readonly weights: Weights;
  /** Name of the architecture; default what the file says. */
  readonly model?: string | undefined;
  /** Of splits; default the test images. */
  readonly split?: "train" | "val" | "test" | undefined;
  /** The first so many images of the split; default all. */
  readonly limit?: number | undefined;
  /** A value a channel, of pixel/255; default the weights' own. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
}

export interface WeightsAnswer {
  readonly model: ModelName;
  readonly result: TestResult;
  /** In scikit-learn's layout. */
  readonly report: string;
  readonly normalization: Normalization;
  readonly input: NetworkInput;
  readonly load: LoadReport;
}

/**
 * Judges a file of weights on a split, or on all of some labelled images, without a run. Where the file names no classes, its outputs are taken to be the
 * data's classes in their order.
 * @throws UsageError where the model is not known or its outputs cannot be the data's classes; ThawError where the
 * weights do not fit.
 */
export async function evaluateWeights(
  data: DatasetSplits | Pick<LabelledImages, "name" | "set">,
  question: WeightsQuestion,
  compute: ComputeChoice,
  options: JudgeOptions = {},
): Promise<WeightsAnswer> {
  const { weights, split = "test" } = question;
  const name = modelOf(question);
  const set = firstOf("set" in data ? data.set : data[split], question.limit);
  const normalization = normalizationOf(weights, name, channelsOf(set), question);
  const input = inputOf(set, normalization, resizingFor(set, name, weights, question));
  using model = build(name, weights, set.classes.length, input);
  const load = loadWeights(model, weights.tensors, {
    ...{ from: weights.reference, model: name, file: weights },
  });
  freeze(model.to(compute), [input.channels, input.height, input.width], compute);
  const classes = classesOf(weights, model, data.name, set);
  const predicted = await judge(
    { model, classes, input },
    { name: data.name, set },
    compute,
    options,
  );
  return {
    model: name,
    result: testResult(predicted, { set }),
    report: classificationReport(confusionMatrix(predicted), classes),
    normalization,
    input,
    load,
  };
}

function modelOf({ model, weights }: WeightsQuestion): ModelName {
  const name = model ?? weights.model;
  if (name === undefined) {
    throw new UsageError(`--model is missing: ${weights.path} does not say what it is of`, {
      hint: "name the architecture, as --model resnet18",
    });
  }
  return parseModelName(name);
}

/** The first `limit` images of a set, or all. */
export function firstOf(set: SplitSet, limit: number | undefined): SplitSet {
  if (limit === undefined || limit >= set.count) return set;
  return subset(
    set,
    Int32Array.from({ length: limit }, (_, i) => i),
  );
}

/** A model of the file's number of outputs, which only the name of its head tells; it is filled at once. */
function build(
  name: ModelName,
  { tensors, reference }: Weights,
  usual: number,
  { channels, height, width }: NetworkInput,
): Classifier {
  using random = new Generator(0);
  const of = (classes: number): Classifier =>
    withoutInit(() =>
      createModel(name, {
        classes,
        inChannels: channels,
        imageSize: [height, width],
        random: { init: random, dropout: random },
      }),
    );
  const model = of(usual);
  try {
    const outputs = outputsIn(tensors, model, reference) ?? usual;
    if (outputs === usual || outputs < 1) return model;
    model[Symbol.dispose]();
    return of(outputs);
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
}

function classesOf(
  { classes, path }: Weights,
  model: Classifier,
  data: string,
  set: SplitSet,
): readonly string[] {
  const outputs = model.head.weight.size(0);
  if (classes?.length === outputs) return classes;
  if (outputs === set.classes.length) return set.classes;
  throw new UsageError(
    `${path} has ${outputs} outputs without names, and ${data} has ${set.classes.length} classes`,
    { hint: "judge it on data of its own classes, or fine-tune it: thaw train --weights" },
  );
}
