import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formulaInput, formulaLabels, formulaTensor, sampleIndices } from "../../test/formula.ts";
import { type Described, relativeError, torchFixture } from "../../test/torch-fixture.ts";
import { crossEntropy, type Module } from "../nn/index.ts";
import { Generator, inMemoryFormat, liveTensors, scope, Tensor } from "../tensor/index.ts";
import { createModel, type ModelName } from "./index.ts";

interface Pass {
  readonly logits: readonly number[];
  readonly crossEntropy: number;
  readonly crossEntropySmoothed: number;
  readonly gradients: Readonly<Record<string, Described>>;
  readonly inputGradient: Described;
  readonly runningStats?: Readonly<Record<string, Described>>;
}
interface Fixture {
  readonly model: ModelName;
  readonly inputShape: readonly [number, number, number, number];
  readonly classes: number;
  readonly parameterCount: number;
  readonly stateDict: Readonly<Record<string, readonly number[]>>;
  readonly eval: Pass;
  readonly train: Pass;
}

/** The oracle's weights by the formula; its index counts floating tensors only. */
function loadFormula(model: Module): void {
  const values = new Map<string, Tensor>();
  let index = 0;
  for (const [name, target] of model.stateDict()) {
    values.set(
      name,
      target.dtype === "int64"
        ? Tensor.from(new BigInt64Array(1), [])
        : Tensor.from(formulaTensor(name, index++, target.shape), target.shape),
    );
  }
  model.loadStateDict(values);
}

function expectDescribed(name: string, tensor: Tensor, expected: Described): void {
  const values = tensor.toArray("float32");
  const samples = sampleIndices(values.length).map((i) => values[i]!);
  const norm = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  const unit = expected.norm / Math.sqrt(values.length);
  expect(Math.abs(norm / expected.norm - 1), `${name} norm`).toBeLessThan(1e-4);
  const worst = Math.max(...samples.map((v, i) => Math.abs(v - expected.samples[i]!)));
  const scale = Math.max(unit, ...expected.samples.map(Math.abs));
  expect(worst / scale, `${name} samples`).toBeLessThan(1e-4);
}

let before: number;
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => {
  expect(liveTensors()).toBe(before);
});

const fixtures = [
  "simple_cnn",
  "simple_cnn_grey",
  "resnet18",
  "resnet18_grey",
  "resnet34",
  "resnet50",
];

describe.each(fixtures)("%s against PyTorch with the same weights", (name) => {
  const fixture = torchFixture<Fixture>(name);
  const [, inChannels, height, width] = fixture.inputShape;

  function withModel(body: (model: ReturnType<typeof createModel>) => void): void {
    using init = new Generator(1);
    using dropout = new Generator(2);
    using model = createModel(fixture.model, {
      classes: fixture.classes,
      inChannels,
      imageSize: [height, width],
      dropout: 0,
      random: { init, dropout },
    });
    scope(() => loadFormula(model));
    scope(() => body(model));
  }

  it("has its state dict's names and shapes, and its parameter count", () => {
    withModel((model) => {
      const shapes = [...model.stateDict()].filter(([, t]) => t.dtype !== "int64");
      expect(Object.fromEntries(shapes.map(([key, t]) => [key, t.shape]))).toEqual(
        fixture.stateDict,
      );
      const count = model.parameters().reduce((sum, p) => sum + p.elements, 0);
      expect(count).toBe(fixture.parameterCount);
    });
  });

  it.each(["eval", "train"] as const)(
    "equals its logits, losses and gradients in %s mode",
    (mode) => {
      for (const format of ["contiguous", "channels_last"] as const) {
        withModel((model) => {
          model.train(mode === "train").to({ memoryFormat: format });
          const expected = fixture[mode];
          const leaf = Tensor.from(formulaInput(fixture.inputShape), fixture.inputShape);
          const x = inMemoryFormat(leaf, format);
          x.requiresGrad = true;
          const labels = Tensor.from(
            BigInt64Array.from(formulaLabels(fixture.inputShape[0], fixture.classes), BigInt),
            [fixture.inputShape[0]],
          );
          const logits = model.forward(x);
          expect(relativeError(logits.toArray("float32"), expected.logits)).toBeLessThan(1e-4);
          const smoothed = crossEntropy(logits, labels, { labelSmoothing: 0.1 });
          expect(smoothed.item()).toBeCloseTo(expected.crossEntropySmoothed, 4);
          const loss = crossEntropy(logits, labels);
          expect(loss.item()).toBeCloseTo(expected.crossEntropy, 4);
          loss.backward();
          expectDescribed("input", x.grad!, expected.inputGradient);
          for (const [key, parameter] of model.namedParameters()) {
            expectDescribed(key, parameter.grad!, expected.gradients[key]!);
          }
          for (const [key, buffer] of model.namedBuffers()) {
            const described = expected.runningStats?.[key];
            if (described) expectDescribed(key, buffer, described);
          }
        });
      }
    },
  );
});
