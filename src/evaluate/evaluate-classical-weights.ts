import type { SplitSet } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { classificationReport, confusionMatrix } from "../metrics/index.ts";
import type { ComputeChoice } from "../models/index.ts";
import { loadClassical } from "../run/classical-model.ts";
import { openFeatures } from "../run/features.ts";
import { classicalPredictions } from "../run/judge-classical.ts";
import { type TestResult, testResult } from "../run/results.ts";
import type { Weights, WeightsPlaces } from "../run/weights.ts";
import type { WeightsQuestion } from "./evaluate-weights.ts";
import type { JudgeOptions } from "./judge.ts";

export interface ClassicalAnswer {
  readonly result: TestResult;
  /** In scikit-learn's layout. */
  readonly report: string;
  /** What the model sees of an image: pixels, or a network's features. */
  readonly features: string;
}

/** What only a network's weights can be asked for. */
const ofNetworks = {
  ...{ mean: "--mean", std: "--std", imgSize: "--img-size", cropPct: "--crop-pct" },
  interpolation: "--interpolation",
} as const;

/**
 * Evaluates the model of a classical run on any labelled images, as `evaluateWeights` does a network's: nothing is
 * written. Images are resized as those that it was fitted on.
 * @throws UsageError for a question that only networks can answer; ThawError where the images' classes are not the model's.
 */
export async function evaluateClassicalWeights(
  data: { readonly name: string; readonly set: SplitSet },
  weights: Weights,
  compute: ComputeChoice,
  { places, asked = {}, ...options }: ClassicalWeightsOptions = {},
): Promise<ClassicalAnswer> {
  for (const [key, flag] of Object.entries(ofNetworks)) {
    if (asked[key as keyof typeof ofNetworks] === undefined) continue;
    throw new UsageError(`${flag}: ${weights.reference} is a classical model (${weights.model})`, {
      hint: "images are prepared in the same way as those it was fitted on",
    });
  }
  const model = loadClassical(weights.path);
  using _owned = model.pipeline;
  const { set } = data;
  const { input, classes } = model;
  using source = await openFeatures(model.features, set, { compute, places, input, ...options });
  using features = await source.extract(set);
  const said = await classicalPredictions(model, { ...data, features }, options.signal);
  const { predictions, isProbability } = said;
  return {
    result: testResult(predictions, { set, isProbability }),
    report: classificationReport(confusionMatrix(predictions), classes),
    features: model.features,
  };
}

export interface ClassicalWeightsOptions extends JudgeOptions {
  /** Where a network whose features are used may be found. */
  readonly places?: WeightsPlaces;
  /** What the person asked for besides. */
  readonly asked?: Partial<Pick<WeightsQuestion, keyof typeof ofNetworks>>;
}
