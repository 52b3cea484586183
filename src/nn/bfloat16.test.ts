import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { autocast, Generator, grad, noGrad, ops, scope, Tensor } from "../tensor/index.ts";
import { explicitAttention, joinHeads, splitHeads } from "./attention.ts";
import { LayerNorm } from "./index.ts";

/** bf16 has 8 significant bits: the most that rounding to it changes, as a share of the value. */
const ROUNDING = 2 ** -8;

function drawn(shape: readonly number[], seed: number, times = 1): Tensor {
  using random = new Generator(seed);
  return scope(() =>
    ops.toDtype(ops.mulScalar(ops.randn(shape, { generator: random }), times), "bfloat16"),
  );
}

const inFull = (x: Tensor): Tensor => ops.toDtype(x, "float32");
const values = (x: Tensor): Float32Array => scope(() => inFull(x).toArray("float32"));

/** The answer to `input` and its gradient by it, of a sum weighted by `by`. */
function answered(forward: (x: Tensor) => Tensor, input: Tensor, by: Tensor) {
  return scope(() => {
    const x = ops.detach(input);
    x.requiresGrad = true;
    const y = forward(x);
    const [gradient] = grad([y], [x], { gradients: [ops.toDtype(by, y.dtype)] });
    return { y: values(y), gradient: values(gradient!) };
  });
}

/** The largest difference, as a share of the largest value that was wanted. */
function worst(got: Float32Array, wanted: Float32Array): number {
  expect(got.length).toBe(wanted.length);
  const largest = Math.max(...wanted.map(Math.abs));
  return Math.max(...wanted.map((value, i) => Math.abs(got[i]! - value))) / largest;
}

expectNoLeaks();

describe("GELU in one pass", () => {
  // 37: a whole vector of 16, another, and a rest.
  it.each([[[37]], [[3, 16]], [[5]], [[0]]])("of %j as libtorch's", (shape) => {
    scope(() => {
      const [x, by] = [drawn(shape, 1, 3), drawn(shape, 2)];
      const got = answered((input) => ops.fusedGelu(input), x, by);
      const wanted = answered((input) => ops.gelu(input), x, by);
      got.y.forEach((value, i) => {
        expect(Math.abs(value - wanted.y[i]!)).toBeLessThanOrEqual(
          2 * ROUNDING * Math.abs(wanted.y[i]!) + 3e-7,
        );
        // Its derivative is kept in bf16: rounded once more.
        expect(Math.abs(got.gradient[i]! - wanted.gradient[i]!)).toBeLessThanOrEqual(
          3 * ROUNDING * Math.abs(wanted.gradient[i]!) + 3e-7,
        );
      });
    });
  });

  it("far out, of infinities and of NaN as libtorch's", () => {
    scope(() => {
      const far = [-1e30, -40, -13, 13, 40, 1e30, Infinity, -Infinity, NaN, 0];
      const x = ops.toDtype(Tensor.from(Float32Array.from(far), [far.length]), "bfloat16");
      const [got, wanted] = [values(ops.fusedGelu(x)), values(ops.gelu(x))];
      wanted.forEach((theirs, i) => {
        // Which libtorch 2.8 makes NaN of.
        const value = far[i] === Infinity ? Infinity : theirs;
        if (Number.isNaN(value)) expect(got[i]).toBeNaN();
        else if (Number.isFinite(value)) {
          // libtorch's 1 + erf is 0 beyond -6, where there is in truth something left.
          expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * ROUNDING + 1e-30);
        } else expect(got[i]).toBe(value);
      });
    });
  });

  it("has the slopes 0 and 1 however far out", () => {
    scope(() => {
      const far = Tensor.from(Float32Array.from([-3e38, -1e30, -40, 40, 1e30, 3e38]), [6]);
      const { gradient } = answered(
        (x) => ops.fusedGelu(x),
        ops.toDtype(far, "bfloat16"),
        ops.ones([6], { dtype: "bfloat16" }),
      );
      expect(Array.from(gradient, (value) => value + 0)).toEqual([0, 0, 0, 1, 1, 1]);
    });
  });

  it("of fp32 and of strided memory is libtorch's own", () => {
    scope(() => {
      const x = drawn([8, 6], 3);
      const strided = ops.transpose(x, 0, 1);
      expect(values(ops.fusedGelu(strided))).toEqual(values(ops.gelu(strided)));
      expect(values(ops.fusedGelu(inFull(x)))).toEqual(values(ops.gelu(inFull(x))));
    });
  });
});

describe("self-attention in one operator", () => {
  const composed = (qkv: Tensor, heads: number): Tensor => {
    const [q, k, v] = splitHeads(qkv, 3, heads) as [Tensor, Tensor, Tensor];
    return joinHeads(explicitAttention(q, k, v));
  };

  it.each([
    { batch: 2, tokens: 5, heads: 3, width: 8 },
    { batch: 3, tokens: 33, heads: 2, width: 16 },
    { batch: 1, tokens: 1, heads: 1, width: 4 },
    // More images than are worked on at a time: 2 of 2 heads' 700 × 700 scores.
    { batch: 3, tokens: 700, heads: 2, width: 8 },
  ])("of $batch × $tokens tokens, $heads heads of $width", ({ batch, tokens, heads, width }) => {
    scope(() => {
      const qkv = drawn([batch, tokens, 3 * heads * width], 4);
      const by = drawn([batch, tokens, heads * width], 5);
      const got = answered((x) => ops.selfAttention(x, heads), qkv, by);
      const wanted = answered((x) => composed(x, heads), inFull(qkv), by);
      // Scores, probabilities and results are each rounded to bf16.
      expect(worst(got.y, wanted.y)).toBeLessThan(4 * ROUNDING);
      expect(worst(got.gradient, wanted.gradient)).toBeLessThan(4 * ROUNDING);
    });
  });

  it("gives the same without a gradient", () => {
    scope(() => {
      const qkv = drawn([3, 700, 48], 6);
      qkv.requiresGrad = true;
      const kept = ops.detach(ops.selfAttention(qkv, 2));
      expect(values(noGrad(() => ops.selfAttention(qkv, 2)))).toEqual(values(kept));
    });
  });

  it("of large scores takes the largest alone, and NaN stays in its image", () => {
    scope(() => {
      const qkv = inFull(drawn([2, 3, 12], 7, 60)).toArray("float32");
      qkv[0] = Number.NaN;
      const x = ops.toDtype(Tensor.from(qkv, [2, 3, 12]), "bfloat16");
      const y = values(ops.selfAttention(x, 1));
      expect(y.slice(0, 4).every(Number.isNaN)).toBe(true);
      expect(y.slice(12).some(Number.isNaN)).toBe(false);
      const wanted = values(composed(inFull(x), 1)).slice(12);
      expect(worst(y.slice(12), wanted)).toBeLessThan(4 * ROUNDING);
    });
  });

  it("in fp32 and of strided memory is a composition", () => {
    scope(() => {
      const qkv = inFull(drawn([2, 6, 24], 8));
      expect(worst(values(ops.selfAttention(qkv, 2)), values(composed(qkv, 2)))).toBeLessThan(1e-6);
    });
  });

  it.each([
    ["a width that is not three times the heads'", [2, 4, 20], 2],
    ["no heads", [2, 4, 24], 0],
    ["a matrix", [4, 24], 2],
  ] as const)("%s is an error", (_, shape, heads) => {
    scope(() => {
      expect(() => ops.selfAttention(drawn(shape, 9), heads)).toThrow(/3 \* heads \* width/);
    });
  });
});

describe("layer norm before a product", () => {
  function norm(features: number, seed: number): LayerNorm {
    using random = new Generator(seed);
    const layer = new LayerNorm(features, { eps: 1e-6, beforeProduct: true });
    layer.weight.replace(ops.randn([features], { generator: random }));
    layer.bias.replace(ops.randn([features], { generator: random }));
    return layer;
  }

  // 150 rows: two blocks of 64 a sum, and a rest; 24 features fill no whole vectors, and are libtorch's.
  it.each([[[150, 48]], [[2, 5, 16]], [[7, 24]]])("of %j as libtorch's in fp32", (shape) => {
    using layer = norm(shape.at(-1)!, 10);
    scope(() => {
      const [x, by] = [inFull(drawn(shape, 11, 2)), drawn(shape, 12)];
      const run = (forward: (input: Tensor) => Tensor) => {
        layer.weight.grad = null;
        layer.bias.grad = null;
        const input = ops.detach(x);
        input.requiresGrad = true;
        const y = forward(input);
        ops.sum(ops.mul(inFull(y), inFull(by))).backward();
        const found = [input.grad!, layer.weight.grad!, layer.bias.grad!].map(values);
        return { dtype: y.dtype, y: values(y), found };
      };
      const got = run((input) =>
        autocast({ device: "cpu", dtype: "bfloat16" }, () => layer.forward(input)),
      );
      const wanted = run((input) => layer.forward(input));
      expect([got.dtype, wanted.dtype]).toEqual(["bfloat16", "float32"]);
      expect(worst(got.y, wanted.y)).toBeLessThan(ROUNDING);
      got.found.forEach((gradient, i) => {
        expect(worst(gradient, wanted.found[i]!)).toBeLessThan(1e-5);
      });
      layer.weight.grad = null;
      layer.bias.grad = null;
    });
  });

  it("has no second derivative, and says so", () => {
    using layer = norm(16, 13);
    scope(() => {
      const x = inFull(drawn([3, 16], 14));
      x.requiresGrad = true;
      const y = ops.layerNormToBfloat16(x, layer.weight, layer.bias, 1e-6);
      const by = { gradients: [ops.ones([3, 16], { dtype: "bfloat16" })], createGraph: true };
      expect(() => grad([y], [x], by)).toThrow(
        /layer_norm_to_bfloat16 has no second derivative in bfloat16.*float32/,
      );
    });
  });

  it("weights of fewer features are an error, not read past their end", () => {
    scope(() => {
      const x = ops.ones([2, 16]);
      const few = ops.ones([8]);
      expect(() => ops.layerNormToBfloat16(x, few, few, 1e-6)).toThrow(/for each feature/);
    });
  });
});
