import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { Generator, inference, liveTensors, ops, scope, Tensor } from "../tensor/index.ts";
import {
  chain,
  hardswish,
  LayerNorm,
  LayerNorm2d,
  ReLU,
  relu6,
  SqueezeExcite,
  silu,
} from "./index.ts";

expectNoLeaks();

function values(tensor: Tensor): number[] {
  return [...tensor.toArray("float32")];
}

describe("activations", () => {
  const points = [-4, -2, -0.5, 0, 1, 5, 7];
  it.each([
    ["silu", silu, (x: number) => x / (1 + Math.exp(-x))],
    ["hardswish", hardswish, (x: number) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6],
    ["relu6", relu6, (x: number) => Math.min(Math.max(x, 0), 6)],
  ] as const)("%s, in place or not, in fp32 and bf16", (_, activation, expected) => {
    scope(() => {
      for (const [dtype, digits] of [
        ["float32", 5],
        ["bfloat16", 1],
      ] as const) {
        for (const recorded of [true, false]) {
          const x = ops.toDtype(Tensor.from(Float32Array.from(points), [7]), dtype, { copy: true });
          x.requiresGrad = recorded;
          const y = activation(x);
          const got = values(ops.toDtype(y, "float32"));
          got.forEach((value, i) => {
            expect(value).toBeCloseTo(expected(points[i]!), digits);
          });
          if (!recorded) continue;
          ops.sum(y).backward();
          const step = 1e-4;
          // Away from the kinks, where both sides' slopes are one.
          const slopes = values(ops.toDtype(x.grad!, "float32"));
          for (const i of [0, 1, 2, 4, 5, 6]) {
            const slope = (expected(points[i]! + step) - expected(points[i]! - step)) / (2 * step);
            expect(slopes[i]).toBeCloseTo(slope, digits);
          }
        }
      }
    });
  });

  it("need no second tensor where nothing is recorded", () => {
    inference(() =>
      scope(() => {
        const x = ops.ones([3]);
        expect(hardswish(x)).toBe(x);
        expect(relu6(x)).toBe(x);
        expect(silu(x)).toBe(x);
      }),
    );
  });
});

describe("chain", () => {
  it("skips null, frees what is between, and neither its input nor its result", () => {
    scope(() => {
      const x = ops.ones([2]);
      const before = liveTensors();
      const y = chain(x, new ReLU(), null, (t) => ops.addScalar(t, 1), hardswish);
      expect(liveTensors()).toBe(before + 1);
      expect(x.disposed).toBe(false);
      expect(values(y)).toEqual([2 * Math.fround(5 / 6), 2 * Math.fround(5 / 6)]);
      expect(chain(x)).toBe(x);
    });
  });
});

describe("layer norm", () => {
  it("of channels equals that of the last dimension", () => {
    using random = new Generator(5);
    using channels = new LayerNorm2d(6);
    using last = new LayerNorm(6);
    scope(() => {
      const x = ops.randn([2, 6, 3, 4], { generator: random });
      const moved = ops.permute(last.forward(ops.permute(x, [0, 2, 3, 1])), [0, 3, 1, 2]);
      expect(ops.equal(channels.forward(x), moved)).toBe(true);
    });
  });

  it("of channels in bf16 computes in its parameters' dtype and answers in bf16", () => {
    using random = new Generator(5);
    using norm = new LayerNorm2d(64);
    scope(() => {
      const x = ops.toDtype(ops.randn([8, 64, 2, 1], { generator: random }), "bfloat16");
      const y = norm.forward(x);
      const wide = norm.forward(ops.toDtype(x, "float32"));
      expect(ops.equal(y, ops.toDtype(wide, "bfloat16"))).toBe(true);
    });
  });
});

describe("SqueezeExcite", () => {
  it("weighs channels by the gate of their means, and leaves its input alone", () => {
    using random = new Generator(7);
    const options = { squeezed: 2, activation: hardswish, gate: ops.sigmoid, random };
    using layer = new SqueezeExcite(4, options);
    inference(() =>
      scope(() => {
        const x = ops.randn([3, 4, 5, 5], { generator: random });
        const before = ops.clone(x);
        const means = ops.meanDim(x, { dim: [2, 3], keepdim: true });
        const squeezed = ops.hardswish(layer.conv_reduce.forward(means));
        const gate = ops.sigmoid(layer.conv_expand.forward(squeezed));
        expect(ops.allclose(layer.forward(x), ops.mul(x, gate))).toBe(true);
        expect(ops.equal(x, before)).toBe(true);
      }),
    );
  });
});
