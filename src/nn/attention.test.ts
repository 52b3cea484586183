import { describe, expect, it } from "vitest";
import { formulaUniform } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { autocast, ops, scope, Tensor } from "../tensor/index.ts";
import { explicitAttention } from "./attention.ts";
import { attention } from "./index.ts";

type Shape = readonly [batch: number, heads: number, tokens: number, width: number];

function formula(stream: number, shape: readonly number[], times = 1): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return Tensor.from(
    formulaUniform(stream, count).map((value) => value * times),
    shape,
  );
}

/** The definition in float64, element by element. */
function defined(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | null): number[] {
  const [batch, heads, queries, width] = q.shape as Shape;
  const tokens = k.size(2);
  const [qs, ks, vs, biases] = [q, k, v, bias].map((t) => t?.toArray("float32"));
  const out: number[] = [];
  for (let i = 0; i < batch * heads * queries; i++) {
    const [head, query] = [Math.floor(i / queries), i % queries];
    const group = bias === null ? 0 : Math.floor(head / heads) % bias.size(0);
    const scores = Array.from({ length: tokens }, (_, token) => {
      let score = 0;
      for (let c = 0; c < width; c++) {
        score += qs![i * width + c]! * ks![(head * tokens + token) * width + c]!;
      }
      const at = ((group * heads + (head % heads)) * queries + query) * tokens + token;
      return Math.exp(score / Math.sqrt(width) + (biases?.[at] ?? 0));
    });
    const total = scores.reduce((sum, score) => sum + score);
    for (let c = 0; c < width; c++) {
      out.push(
        scores.reduce((sum, s, t) => sum + (s / total) * vs![(head * tokens + t) * width + c]!, 0),
      );
    }
  }
  return out;
}

const worst = (got: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Math.max(...Array.from(expected, (value, i) => Math.abs(got[i]! - value)));

expectNoLeaks();

describe.each([
  ["as libtorch has it", attention],
  [
    "explicit",
    (q: Tensor, k: Tensor, v: Tensor, { bias = null }: { bias?: Tensor | null } = {}) =>
      explicitAttention(q, k, v, bias),
  ],
] as const)("attention, %s", (_, attend) => {
  it.each([
    { name: "plain", shape: [2, 3, 5, 4], queries: 5, groups: 0 },
    { name: "with a bias for all", shape: [4, 2, 3, 8], queries: 3, groups: 1 },
    { name: "with a bias for each of two windows", shape: [4, 2, 3, 8], queries: 3, groups: 2 },
    { name: "of one query", shape: [2, 3, 7, 4], queries: 1, groups: 0 },
  ])("is what its definition says: $name", ({ shape, queries, groups }) => {
    scope(() => {
      const [batch, heads, tokens, width] = shape as unknown as Shape;
      const q = formula(0, [batch, heads, queries, width], 3);
      const [k, v] = [formula(1, shape, 3), formula(2, shape)];
      const bias = groups === 0 ? null : formula(3, [groups, heads, queries, tokens], 2);
      const got = attend(q, k, v, { bias });
      expect(got.shape).toEqual([batch, heads, queries, width]);
      const expected = defined(q, k, v, bias);
      expect(worst(got.toArray("float32"), expected)).toBeLessThan(1e-5);
    });
  });

  it("gives gradients to queries, keys, values and bias", () => {
    scope(() => {
      const shape = [2, 2, 3, 4];
      const leaves = [0, 1, 2].map((stream) => formula(stream, shape));
      leaves.push(formula(3, [1, 2, 3, 3]));
      for (const leaf of leaves) leaf.requiresGrad = true;
      const [q, k, v, bias] = leaves as [Tensor, Tensor, Tensor, Tensor];
      const total = (): Tensor => ops.sum(ops.mul(attend(q, k, v, { bias }), formula(4, shape)));
      total().backward();
      for (const leaf of leaves) {
        // One element's slope by a central difference.
        const values = leaf.toArray("float32");
        const at = (change: number): number =>
          scope(() => {
            const moved = Float32Array.from(values);
            moved[1]! += change;
            const others = leaves.map((l) => (l === leaf ? Tensor.from(moved, leaf.shape) : l));
            const [a, b, c, d] = others as [Tensor, Tensor, Tensor, Tensor];
            return ops.sum(ops.mul(attend(a, b, c, { bias: d }), formula(4, shape))).item();
          });
        const slope = (at(0.02) - at(-0.02)) / 0.04;
        expect(leaf.grad!.toArray("float32")[1]).toBeCloseTo(slope, 3);
      }
    });
  });

  it("is in bf16 under autocast", () => {
    scope(() => {
      const [q, k, v] = [0, 1, 2].map((stream) => formula(stream, [2, 3, 16, 8])) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const half = [q, k, v].map((t) => ops.toDtype(t, "bfloat16")) as [Tensor, Tensor, Tensor];
      const got = autocast({ device: "cpu", dtype: "bfloat16" }, () => attend(...half));
      expect(got.dtype).toBe("bfloat16");
      const expected = defined(q, k, v, null);
      expect(worst(ops.toDtype(got, "float32").toArray("float32"), expected)).toBeLessThan(0.01);
    });
  });
});
