import { describe, expect, it } from "vitest";
import { formulaUniform } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { type FunctionalCase, readTorchFixture } from "../../test/torch-fixtures.ts";
import { noGrad, ops, scope, Tensor } from "../tensor/index.ts";
import {
  AvgPool2d,
  BatchNorm2d,
  crossEntropy,
  distillation,
  GELU,
  LayerNorm,
  MaxPool2d,
} from "./index.ts";

const fixture = readTorchFixture("functional");
const TOLERANCE = 1e-5;

function formula(stream: number, shape: readonly number[], times = 1): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return Tensor.from(
    formulaUniform(stream, count).map((value) => value * times),
    shape,
  );
}

/** The largest difference over the largest expected magnitude. */
function relativeError(got: ArrayLike<number>, expected: readonly number[]): number {
  const differences = expected.map((value, i) => Math.abs(got[i]! - value));
  return Math.max(...differences) / Math.max(...expected.map(Math.abs), 1e-30);
}

function expectOutput(case_: FunctionalCase, name: string, got: Tensor): void {
  const expected = case_.outputs[name]!;
  expect(got.shape, name).toEqual(expected.shape);
  const error = relativeError(got.toArray("float32"), expected.values);
  expect(error, name).toBeLessThan(TOLERANCE);
}

/** sum(y · g), whose gradients the fixtures hold. */
function upstreamBackward(y: Tensor): void {
  ops.sum(ops.mul(y, formula(fixture.upstream.stream, y.shape))).backward();
}

type Inputs = Readonly<Record<string, Tensor>>;

/** Feeds a case's inputs to `run`, compares y and every input's gradient. */
function check(case_: FunctionalCase, run: (inputs: Inputs) => Tensor): void {
  scope(() => {
    const inputs = Object.fromEntries(
      Object.entries(case_.inputs!).map(([name, { stream, shape, times }]) => {
        const tensor = formula(stream, shape, times);
        tensor.requiresGrad = true;
        return [name, tensor];
      }),
    );
    const y = run(inputs);
    expectOutput(case_, "y", y);
    upstreamBackward(y);
    for (const [name, tensor] of Object.entries(inputs)) {
      expectOutput(case_, `grad.${name}`, tensor.grad!);
    }
  });
}

expectNoLeaks();

describe("equal to PyTorch's, with gradients", () => {
  it("linear", () => {
    check(fixture.linear, ({ x, weight, bias }) => ops.linear(x!, weight!, { bias }));
  });

  it.each(Object.entries(fixture.conv2d))("conv2d: %s", (_, case_) => {
    const { stride, padding, dilation, groups } = case_.options as {
      readonly [option: string]: number;
    };
    check(case_, ({ x, weight, bias }) =>
      ops.conv2d(x!, weight!, { bias, stride, padding, dilation, groups }),
    );
  });

  const activations: Record<string, (x: Tensor) => Tensor> = {
    gelu: (x) => new GELU().forward(x),
    geluTanh: (x) => new GELU({ approximate: "tanh" }).forward(x),
    relu: ops.relu,
    silu: ops.silu,
    sigmoid: ops.sigmoid,
    softmax: (x) => ops.softmax(x, 1),
    logSoftmax: (x) => ops.logSoftmax(x, 1),
  };
  it.each(Object.entries(fixture.activations))("%s", (name, case_) => {
    check(case_, ({ x }) => activations[name]!(x!));
  });

  const pools: Record<string, (x: Tensor) => Tensor> = {
    max: (x) => new MaxPool2d(2).forward(x),
    maxPadded: (x) => new MaxPool2d(3, { stride: 2, padding: 1 }).forward(x),
    average: (x) => new AvgPool2d(2).forward(x),
    averagePadded: (x) => new AvgPool2d(3, { stride: 2, padding: 1 }).forward(x),
    averageNotCountingPadding: (x) =>
      ops.avgPool2d(x, 3, { stride: 2, padding: 1, countIncludePad: false }),
    adaptive1: (x) => ops.adaptiveAvgPool2d(x, 1),
    adaptive3x4: (x) => ops.adaptiveAvgPool2d(x, [3, 4]),
  };
  it.each(Object.entries(fixture.pooling))("pooling: %s", (name, case_) => {
    check(case_, ({ x }) => pools[name]!(x!));
  });
});

describe("layer norm", () => {
  it("as a layer, with weight and bias", () => {
    const case_ = fixture.layerNorm.affine!;
    scope(() => {
      using layer = new LayerNorm(6, { eps: 1e-6 });
      noGrad(() => {
        ops.copy_(layer.weight, formula(1, [6]));
        ops.copy_(layer.bias, formula(2, [6]));
      });
      const x = formula(0, [2, 3, 6], 3);
      x.requiresGrad = true;
      const y = layer.forward(x);
      expectOutput(case_, "y", y);
      upstreamBackward(y);
      expectOutput(case_, "grad.x", x.grad!);
      expectOutput(case_, "grad.weight", layer.weight.grad!);
      expectOutput(case_, "grad.bias", layer.bias.grad!);
    });
  });

  it("over several dimensions, without", () => {
    check(fixture.layerNorm.plain!, ({ x }) => ops.layerNorm(x!, [3, 6]));
  });
});

describe("batch norm", () => {
  it.each(Object.entries(fixture.batchNorm2d))("%s", (_, case_) => {
    const { training, momentum, eps, steps } = case_.options as {
      readonly training: boolean;
      readonly momentum: number;
      readonly eps: number;
      readonly steps: number;
    };
    scope(() => {
      using layer = new BatchNorm2d(3, { momentum, eps });
      noGrad(() => {
        ops.copy_(layer.weight, ops.addScalar(formula(1, [3], 0.5), 1));
        ops.copy_(layer.bias, formula(2, [3]));
        ops.copy_(layer.running_mean, formula(3, [3]));
        ops.copy_(layer.running_var, ops.addScalar(formula(4, [3], 0.5), 1));
      });
      layer.train(training);
      for (let step = 0; step < steps; step++) {
        layer.weight.grad = null;
        layer.bias.grad = null;
        const x = formula(10 + step, [4, 3, 2, 3], 2);
        x.requiresGrad = true;
        const y = layer.forward(x);
        upstreamBackward(y);
        if (step < steps - 1) continue;
        expectOutput(case_, "y", y);
        expectOutput(case_, "grad.x", x.grad!);
      }
      expectOutput(case_, "grad.weight", layer.weight.grad!);
      expectOutput(case_, "grad.bias", layer.bias.grad!);
      expectOutput(case_, "runningMean", layer.running_mean);
      expectOutput(case_, "runningVar", layer.running_var);
      expect(layer.num_batches_tracked.item()).toBe(training ? steps : 0);
    });
  });
});

describe("cross-entropy", () => {
  const reductions = { none: 0, mean: 1, sum: 2 };

  it.each(Object.entries(fixture.crossEntropy))("%s", (_, case_) => {
    const { reduction, weight, label_smoothing, ignore_index } = case_.options as {
      readonly reduction?: keyof typeof reductions;
      readonly weight?: readonly number[];
      readonly label_smoothing?: number;
      readonly ignore_index?: number;
    };
    scope(() => {
      const logits = formula(20, [6, 5], 3);
      logits.requiresGrad = true;
      const target = case_.labels
        ? Tensor.from(BigInt64Array.from(case_.labels, BigInt), [6])
        : ops.softmax(formula(21, [6, 5], 2), 1);
      const ours = reduction === undefined && ignore_index === undefined;
      const labelSmoothing = label_smoothing ?? 0;
      const weights = weight && Tensor.from(Float32Array.from(weight), [5]);
      const loss = ours
        ? crossEntropy(logits, target, { labelSmoothing, weight: weights })
        : ops.crossEntropyLoss(logits, target, {
            reduction: reductions[reduction ?? "mean"],
            weight: weights,
            ignoreIndex: ignore_index,
            labelSmoothing,
          });
      expectOutput(case_, "loss", loss);
      ops.sum(loss).backward();
      expectOutput(case_, "grad.logits", logits.grad!);
    });
  });

  it.each(Object.entries(fixture.distillation))("distillation, %s", (_, case_) => {
    const { temperature } = case_.options as { readonly temperature: number };
    scope(() => {
      const logits = formula(20, [6, 5], 3);
      logits.requiresGrad = true;
      const loss = distillation(logits, formula(22, [6, 5], 4), temperature);
      expectOutput(case_, "loss", loss);
      loss.backward();
      expectOutput(case_, "grad.logits", logits.grad!);
    });
  });

  it("is computed in float32 from bfloat16 logits", () => {
    scope(() => {
      const logits = ops.toDtype(formula(20, [6, 5], 3), "bfloat16");
      const labels = Tensor.from(new BigInt64Array(6), [6]);
      const loss = crossEntropy(logits, labels);
      expect(loss.dtype).toBe("float32");
      expect(loss.item()).toBe(crossEntropy(ops.toDtype(logits, "float32"), labels).item());
    });
  });
});
