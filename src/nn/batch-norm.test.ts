import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import {
  type DType,
  Generator,
  inMemoryFormat,
  type MemoryFormat,
  ops,
  scope,
  type Tensor,
} from "../tensor/index.ts";
import { BatchNorm2d } from "./index.ts";

expectNoLeaks();

interface Case {
  readonly shape: readonly [number, number, number, number];
  readonly dtype?: "float32" | "float64" | "bfloat16";
  readonly format?: MemoryFormat;
  /** Of every input value: far from zero, the variance is a small difference of large squares. */
  readonly offset?: number;
}

/** What one training step of a layer with drawn weights gives, as float64. */
function step(
  { shape, dtype = "float32", format = "channels_last", offset = 0 }: Case,
  forward: (bn: BatchNorm2d, x: Tensor) => Tensor,
  computeIn: DType = dtype,
): Record<string, Float64Array> {
  using random = new Generator(3);
  using bn = new BatchNorm2d(shape[1]);
  return scope(() => {
    const draw = (size: readonly number[]) => ops.randn(size, { generator: random });
    bn.weight.replace(draw([shape[1]]));
    bn.bias.replace(draw([shape[1]]));
    if (computeIn === "float64") bn.to({ dtype: "float64" });
    // Rounded to the input's dtype first, so that all start from the same values.
    const drawn = ops.toDtype(ops.add_Scalar(draw(shape), offset), dtype);
    const x = inMemoryFormat(ops.toDtype(drawn, computeIn), format);
    x.requiresGrad = true;
    const y = forward(bn, x);
    ops.sum(ops.mul(y, ops.toDtype(draw(y.shape), computeIn))).backward();
    const result = {
      ...{ y, dx: x.grad!, dweight: bn.weight.grad!, dbias: bn.bias.grad! },
      ...{ mean: bn.running_mean, variance: bn.running_var },
    };
    return Object.fromEntries(
      Object.entries(result).map(([name, tensor]) => [
        name,
        ops.toDtype(ops.detach(tensor), "float64").toArray("float64"),
      ]),
    );
  });
}

const one = (bn: BatchNorm2d, x: Tensor) => bn.forwardReluMaxPool(x);
const three = (bn: BatchNorm2d, x: Tensor) => ops.maxPool2d(ops.relu(bn.forward(x)), 2);

/**
 * The norm of the difference over the norm of what is expected, or over that of ones where this is
 * larger: a mean near zero is as good as its error is small beside the values' deviation of 1.
 */
function relativeError(got: Float64Array, expected: Float64Array): number {
  const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  expect(got.length).toBe(expected.length);
  const scale = Math.max(norm(expected), Math.sqrt(expected.length));
  return norm(got.map((value, i) => value - expected[i]!)) / scale;
}

describe("batch norm, ReLU and 2×2 max pooling in one equal the three", () => {
  it.each<[string, Case, number]>([
    ["even sides", { shape: [5, 32, 8, 6] }, 1e-6],
    [
      "odd sides: the last row and column are in the statistics alone",
      { shape: [3, 16, 7, 5] },
      1e-6,
    ],
    ["one odd side", { shape: [4, 48, 6, 3] }, 1e-6],
    ["a mean of a thousand deviations", { shape: [6, 16, 10, 10], offset: 1000 }, 1e-3],
    ["more rows than a block", { shape: [16, 16, 20, 20] }, 1e-6],
    // What the kernel does not take is composed of libtorch's operators.
    ["channels that fill no vector", { shape: [3, 10, 6, 6] }, 1e-6],
    ["rows one after the other", { shape: [3, 16, 6, 6], format: "contiguous" }, 1e-6],
    ["float64", { shape: [3, 16, 6, 6], dtype: "float64" }, 1e-12],
  ])("%s", (_, given, tolerance) => {
    const got = step(given, one);
    const exact = step(given, three, "float64");
    for (const [name, values] of Object.entries(exact)) {
      expect(relativeError(got[name]!, values), name).toBeLessThan(tolerance);
    }
  });

  it("in bf16 no further from float64 than the three are", () => {
    const given: Case = { shape: [16, 64, 12, 12], dtype: "bfloat16" };
    const [got, composed] = [step(given, one), step(given, three)];
    const exact = step(given, three, "float64");
    for (const [name, values] of Object.entries(exact)) {
      const bound = Math.max(1e-3, 1.05 * relativeError(composed[name]!, values));
      expect(relativeError(got[name]!, values), name).toBeLessThan(bound);
    }
  });

  it("the same bits every time", () => {
    const given: Case = { shape: [8, 64, 14, 14], dtype: "bfloat16" };
    expect(step(given, one)).toEqual(step(given, one));
  });

  it("NaN stays NaN, so that a diverged loss is seen", () => {
    using bn = new BatchNorm2d(16);
    scope(() => {
      const x = inMemoryFormat(ops.full([2, 16, 4, 4], Number.NaN), "channels_last");
      const y = bn.forwardReluMaxPool(x).toArray("float32");
      expect(y.every(Number.isNaN)).toBe(true);
    });
  });

  it("in evaluation by the running statistics, which stay as they are", () => {
    using random = new Generator(1);
    using bn = new BatchNorm2d(16).eval();
    scope(() => {
      const x = inMemoryFormat(ops.randn([2, 16, 6, 6], { generator: random }), "channels_last");
      expect(one(bn, x).toArray("float32")).toEqual(three(bn, x).toArray("float32"));
      expect(bn.running_mean.toArray("float32")).toEqual(new Float32Array(16));
      expect(bn.num_batches_tracked.toArray("int64")).toEqual(new BigInt64Array(1));
    });
  });
});
