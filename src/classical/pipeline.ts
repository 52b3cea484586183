import { UsageError } from "../errors.ts";
import { finish, type Steps } from "../platform/stop.ts";
import { scope, scopeInSteps, type Tensor } from "../tensor/index.ts";
import type {
  ClassifierEstimator,
  EstimatorState,
  FitOptions,
  Params,
  Transformer,
} from "./estimator.ts";

export interface PipelineSteps {
  /** By name, in their order. */
  readonly transformers: readonly (readonly [string, Transformer])[];
  readonly classifier: readonly [string, ClassifierEstimator];
}

/** Transformers and the classifier behind them, as one classifier. It owns its steps. */
export class Pipeline implements ClassifierEstimator {
  readonly name = "Pipeline";
  readonly steps: PipelineSteps;

  constructor(steps: PipelineSteps) {
    this.steps = steps;
    const names = [...steps.transformers, steps.classifier].map(([name]) => name);
    const wrong = names.find(
      (name, i) => name === "" || name.includes("__") || names.indexOf(name) !== i,
    );
    if (wrong !== undefined) {
      throw new UsageError(`Pipeline: ${JSON.stringify(wrong)} cannot be the name of a step`, {
        hint: "each name once, and none with two underscores in it",
      });
    }
  }

  /** `<step>__<parameter>`. */
  get params(): Params {
    const { transformers, classifier } = this.steps;
    return Object.fromEntries(
      [...transformers, classifier].flatMap(([step, { params }]) =>
        Object.entries(params).map(([key, value]) => [`${step}__${key}`, value]),
      ),
    );
  }

  get classes(): Int32Array {
    return this.#classifier.classes;
  }

  get #classifier(): ClassifierEstimator {
    return this.steps.classifier[1];
  }

  fit(x: Tensor, y: ArrayLike<number>, options?: FitOptions): this {
    finish(this.fitSteps(x, y, options));
    return this;
  }

  fitSteps(x: Tensor, y: ArrayLike<number>, options: FitOptions = {}): Steps<void> {
    return scopeInSteps(() => this.#fitSteps(x, y, options));
  }

  *#fitSteps(x: Tensor, y: ArrayLike<number>, { from }: FitOptions): Steps<void> {
    let features = x;
    for (const [, transformer] of this.steps.transformers) {
      yield;
      features = transformer.fit(features).transform(features);
    }
    const start = from instanceof Pipeline ? from.#classifier : from;
    yield* this.#classifier.fitSteps(features, y, { from: start });
  }

  predict(x: Tensor): Int32Array {
    return finish(this.predictSteps(x));
  }

  predictSteps(x: Tensor): Steps<Int32Array> {
    return scopeInSteps(() => this.#classifier.predictSteps(this.transform(x)));
  }

  confidence(x: Tensor): Tensor {
    return finish(this.confidenceSteps(x));
  }

  confidenceSteps(x: Tensor): Steps<Tensor> {
    return scopeInSteps(() => this.#classifier.confidenceSteps(this.transform(x)));
  }

  /** What the classifier is given. */
  transform(x: Tensor): Tensor {
    return scope(() =>
      this.steps.transformers.reduce((features, [, step]) => step.transform(features), x),
    );
  }

  /** @throws UsageError for `step__parameter` where there is no such step or parameter. */
  clone(changes: Params = {}): Pipeline {
    const { transformers, classifier } = this.steps;
    const names = [...transformers, classifier].map(([name]) => name);
    const own = new Map<string, Record<string, unknown>>(names.map((name) => [name, {}]));
    for (const [key, value] of Object.entries(changes)) {
      const [step = "", ...rest] = key.split("__");
      const of = own.get(step);
      if (of === undefined || rest.length === 0) {
        throw new UsageError(`Pipeline has no parameter ${JSON.stringify(key)}`, {
          hint: `as <step>__<parameter>; its steps are ${names.join(", ")}`,
        });
      }
      of[rest.join("__")] = value;
    }
    return new Pipeline({
      transformers: transformers.map(([name, step]) => [name, step.clone(own.get(name)!)]),
      classifier: [classifier[0], classifier[1].clone(own.get(classifier[0])!)],
    });
  }

  state(): EstimatorState {
    throw new UsageError("Pipeline: save its steps one by one");
  }

  [Symbol.dispose](): void {
    for (const [, step] of this.steps.transformers) step[Symbol.dispose]();
    this.#classifier[Symbol.dispose]();
  }
}
