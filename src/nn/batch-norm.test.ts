import { describe, expect, it, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { readTorchFixture } from "../../test/torch-fixtures.ts";
import {
  type DType,
  Generator,
  grad,
  inference,
  inMemoryFormat,
  type MemoryFormat,
  ops,
  scope,
  Tensor,
} from "../tensor/index.ts";
import { BatchNorm2d, OneValueError } from "./index.ts";

expectNoLeaks();

interface Case {
  readonly shape: readonly [number, number, number, number];
  readonly dtype?: "float32" | "float64" | "bfloat16";
  readonly format?: MemoryFormat;
  /** Of every input value: far from zero, the variance is a small difference of large squares. */
  readonly offset?: number;
}

type Forward = (bn: BatchNorm2d, x: Tensor, residual: Tensor) => Tensor;

/** What one training step of a layer with drawn weights gives, as float64. */
function step(
  { shape, dtype = "float32", format = "channels_last", offset = 0 }: Case,
  forward: Forward,
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
    const residual = inMemoryFormat(
      ops.toDtype(ops.toDtype(draw(shape), dtype), computeIn),
      format,
    );
    for (const input of [x, residual]) input.requiresGrad = true;
    const y = forward(bn, x, residual);
    ops.sum(ops.mul(y, ops.toDtype(draw(y.shape), computeIn))).backward();
    const result = {
      ...{ y, dx: x.grad!, dweight: bn.weight.grad!, dbias: bn.bias.grad! },
      ...(residual.grad === null ? {} : { dresidual: residual.grad }),
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

/** In one operator, and in several of libtorch's. */
interface Form {
  readonly name: string;
  readonly operator: string;
  readonly one: Forward;
  readonly several: Forward;
}

/** A residual where any will do. */
const half = (x: Tensor) => ops.detach(ops.mul_Scalar(ops.clone(x), 0.5));

const forms: readonly Form[] = [
  {
    ...{ name: "ReLU", operator: "batch_norm_relu" },
    one: (bn, x) => bn.forwardRelu(x),
    several: (bn, x) => ops.relu(bn.forward(x)),
  },
  {
    ...{ name: "a residual and ReLU", operator: "batch_norm_relu" },
    one: (bn, x, residual) => bn.forwardRelu(x, residual),
    several: (bn, x, residual) => ops.relu(ops.add(bn.forward(x), residual)),
  },
  {
    ...{ name: "ReLU and 2×2 max pooling", operator: "batch_norm_relu_max_pool" },
    one: (bn, x) => bn.forwardReluMaxPool(x),
    several: (bn, x) => ops.maxPool2d(ops.relu(bn.forward(x)), 2),
  },
];

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

describe.each(forms)("batch norm, $name in one equal libtorch's", ({ operator, one, several }) => {
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
    const exact = step(given, several, "float64");
    for (const [name, values] of Object.entries(exact)) {
      expect(relativeError(got[name]!, values), name).toBeLessThan(tolerance);
    }
  });

  it("in bf16 no further from float64 than theirs", () => {
    const given: Case = { shape: [16, 64, 12, 12], dtype: "bfloat16" };
    const [got, composed] = [step(given, one), step(given, several)];
    const exact = step(given, several, "float64");
    for (const [name, values] of Object.entries(exact)) {
      const bound = Math.max(1e-3, 1.05 * relativeError(composed[name]!, values));
      expect(relativeError(got[name]!, values), name).toBeLessThan(bound);
    }
  });

  it("the same bits every time", () => {
    const given: Case = { shape: [8, 64, 14, 14], dtype: "bfloat16" };
    expect(step(given, one)).toEqual(step(given, one));
  });

  it("second derivatives, by libtorch's operators", () => {
    const second = (forward: Forward, dtype: DType): Float64Array[] => {
      using random = new Generator(11);
      using bn = new BatchNorm2d(16).to({ dtype: dtype as "float64" });
      return scope(() => {
        const drawn = ops.randn([3, 16, 5, 6], { generator: random });
        const x = inMemoryFormat(ops.toDtype(drawn, dtype), "channels_last");
        x.requiresGrad = true;
        const y = forward(bn, x, half(x));
        const inputs = [x, bn.weight];
        const first = grad([ops.sum(ops.mul(y, y))], inputs, { createGraph: true });
        const penalty = first.map((g) => ops.sum(ops.mul(g, g))).reduce((a, b) => ops.add(a, b));
        return grad([penalty], inputs).map((g) => ops.toDtype(g, "float64").toArray("float64"));
      });
    };
    const exact = second(several, "float64");
    second(one, "float32").forEach((got, i) => {
      expect(relativeError(got, exact[i]!)).toBeLessThan(1e-5);
    });
  });

  it("derivatives in a graph, where the residual is what the input was made of", () => {
    const derivatives = (forward: Forward, dtype: "float32" | "float64"): Float64Array[] => {
      using random = new Generator(15);
      using bn = new BatchNorm2d(16).to({ dtype });
      return scope(() => {
        const draw = () => ops.toDtype(ops.randn([3, 16, 4, 4], { generator: random }), dtype);
        const start = inMemoryFormat(draw(), "channels_last");
        start.requiresGrad = true;
        const branch = ops.mul(ops.mul(start, start), ops.view(bn.weight, [1, -1, 1, 1]));
        const y = forward(bn, branch, start);
        const inputs = [start, bn.weight];
        const first = grad([ops.sum(ops.mul(y, y))], inputs, { createGraph: true });
        const penalty = first.map((g) => ops.sum(ops.mul(g, g))).reduce((a, b) => ops.add(a, b));
        const second = grad([penalty], inputs);
        return [...first, ...second].map((g) =>
          ops.toDtype(ops.detach(g), "float64").toArray("float64"),
        );
      });
    };
    const exact = derivatives(several, "float64");
    derivatives(one, "float32").forEach((got, i) => {
      expect(relativeError(got, exact[i]!)).toBeLessThan(1e-5);
    });
  });

  it("through the graph a second time where it is retained, and not where it was freed", () => {
    using random = new Generator(12);
    using bn = new BatchNorm2d(16);
    scope(() => {
      const x = inMemoryFormat(ops.randn([2, 16, 4, 4], { generator: random }), "channels_last");
      const loss = ops.sum(one(bn, x, half(x)));
      loss.backward({ retainGraph: true });
      const once = ops.clone(bn.weight.grad!).toArray("float32");
      loss.backward();
      expect(bn.weight.grad!.toArray("float32")).toEqual(once.map((value) => 2 * value));
      expect(() => loss.backward()).toThrow(/backward through the graph a second time/);
    });
  });

  it("where some of the inputs alone have gradients, and one that is spread over the output", () => {
    using random = new Generator(13);
    using bn = new BatchNorm2d(16);
    scope(() => {
      const drawn = ops.randn([2, 16, 4, 4], { generator: random });
      const gradients = (forward: Forward, of: "x" | "weight"): Float32Array => {
        const x = inMemoryFormat(ops.clone(drawn), "channels_last");
        x.requiresGrad = of === "x";
        bn.weight.requiresGrad = of === "weight";
        bn.bias.requiresGrad = false;
        bn.weight.grad = null;
        // A sum's gradient is one value, expanded: no memory of the output's layout.
        ops.sum(forward(bn, x, half(x))).backward();
        expect([x.grad === null, bn.weight.grad === null]).toEqual([of !== "x", of === "x"]);
        return (of === "x" ? x : bn.weight).grad!.toArray("float32");
      };
      for (const of of ["x", "weight"] as const) {
        const [got, wanted] = [gradients(one, of), gradients(several, of)];
        expect(relativeError(Float64Array.from(got), Float64Array.from(wanted))).toBeLessThan(1e-5);
      }
    });
  });

  it("in inference mode, with the running statistics moved", () => {
    const statistics = (forward: Forward): Float32Array => {
      using random = new Generator(14);
      using bn = new BatchNorm2d(16);
      return scope(() => {
        const x = inMemoryFormat(ops.randn([2, 16, 4, 4], { generator: random }), "channels_last");
        inference(() => forward(bn, x, half(x)));
        return bn.running_mean.toArray("float32");
      });
    };
    const [got, wanted] = [statistics(one), statistics(several)];
    expect(relativeError(Float64Array.from(got), Float64Array.from(wanted))).toBeLessThan(1e-6);
  });

  it("an empty batch as theirs", () => {
    using bn = new BatchNorm2d(16);
    scope(() => {
      const x = ops.zeros([0, 16, 4, 4]);
      expect(one(bn, x, half(x)).shape).toEqual(several(bn, x, half(x)).shape);
    });
  });

  it.each([
    ["weights of fewer channels", (bn: BatchNorm2d) => bn.weight.replace(ops.ones([8]))],
    ["statistics of fewer channels", (bn: BatchNorm2d) => bn.running_var.replace(ops.ones([8]))],
  ])("%s are an error, not read past their end", (_, change) => {
    using bn = new BatchNorm2d(16);
    scope(() => {
      change(bn);
      const message = new RegExp(`thaw::${operator}.*float32\\[2, 16, 4, 4\\]`, "s");
      const x = inMemoryFormat(ops.ones([2, 16, 4, 4]), "channels_last");
      expect(() => one(bn, x, half(x))).toThrow(message);
    });
  });

  it("an infinite pixel, which no window covers, is seen in its channel alone", () => {
    using bn = new BatchNorm2d(16);
    scope(() => {
      const values = Float32Array.from({ length: 16 * 25 }, (_, i) => i % 7);
      values[24] = Number.POSITIVE_INFINITY;
      const x = inMemoryFormat(Tensor.from(values, [1, 16, 5, 5]), "channels_last");
      const seen = Array.from(one(bn, x, half(x)).toArray("float32"), Number.isNaN);
      const ofOneChannel = seen.length / 16;
      expect(seen.slice(0, ofOneChannel)).not.toContain(false);
      expect(seen.slice(ofOneChannel)).not.toContain(true);
      expect(bn.running_var.toArray("float32")[0]).toBeNaN();
    });
  });

  it("NaN stays NaN, so that a diverged loss is seen", () => {
    using bn = new BatchNorm2d(16);
    scope(() => {
      const x = inMemoryFormat(ops.full([2, 16, 4, 4], Number.NaN), "channels_last");
      const y = one(bn, x, half(x)).toArray("float32");
      expect(y.every(Number.isNaN)).toBe(true);
    });
  });

  it("in evaluation by the running statistics, which stay as they are", () => {
    using random = new Generator(1);
    using bn = new BatchNorm2d(16).eval();
    scope(() => {
      const x = inMemoryFormat(ops.randn([2, 16, 6, 6], { generator: random }), "channels_last");
      expect(one(bn, x, half(x)).toArray("float32")).toEqual(
        several(bn, x, half(x)).toArray("float32"),
      );
      expect(bn.running_mean.toArray("float32")).toEqual(new Float32Array(16));
      expect(bn.num_batches_tracked.toArray("int64")).toEqual(new BigInt64Array(1));
    });
  });
});

it("has derivatives in a graph, where a residual alone learns", () => {
  const derivatives = (forward: Forward): Float32Array[] => {
    using random = new Generator(16);
    using bn = new BatchNorm2d(16);
    bn.weight.requiresGrad = false;
    bn.bias.requiresGrad = false;
    return scope(() => {
      const draw = () =>
        inMemoryFormat(ops.randn([2, 16, 4, 4], { generator: random }), "channels_last");
      const [x, start] = [draw(), draw()];
      start.requiresGrad = true;
      const y = ops.mul(forward(bn, x, start), start);
      const [first] = grad([ops.sum(y)], [start], { createGraph: true }) as [Tensor];
      const [second] = grad([ops.sum(ops.mul(first, first))], [start]) as [Tensor];
      return [ops.detach(first), second].map((g) => g.toArray("float32"));
    });
  };
  const { one, several } = forms[1]!;
  const wanted = derivatives(several);
  derivatives(one).forEach((got, i) => {
    const [a, b] = [Float64Array.from(got), Float64Array.from(wanted[i]!)];
    expect(relativeError(a, b)).toBeLessThan(1e-5);
  });
});

describe("one value a channel in training, which has no variance", () => {
  test.each(readTorchFixture("one_value").cases)(
    "of $shape PyTorch says $error",
    ({ shape, error }) => {
      using bn = new BatchNorm2d(shape[1]!);
      scope(() => {
        const forwards = [
          () => bn.forward(ops.ones(shape)),
          () => bn.forwardRelu(ops.ones(shape)),
          ...(shape[2]! > 1 && shape[3]! > 1 ? [() => bn.forwardReluMaxPool(ops.ones(shape))] : []),
        ];
        bn.train();
        for (const forward of forwards) {
          if (error === null) expect(forward().shape).toBeDefined();
          else expect(forward).toThrow(OneValueError);
        }
        const { running_var, num_batches_tracked } = bn;
        expect(running_var.toArray("float32").every(Number.isFinite)).toBe(true);
        const count = error === null ? forwards.length : 0;
        expect(Number(num_batches_tracked.toArray("int64")[0])).toBe(count);
        bn.eval();
        for (const forward of forwards) expect(forward).not.toThrow();
      });
    },
  );
});
