import { describe, expect, it } from "vitest";
import { formulaUniform } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { readTimmFixture } from "../../test/timm-fixtures.ts";
import { ops, scope, Tensor } from "../tensor/index.ts";
import { resamplePositionEmbedding, squareGrid } from "./position-embedding.ts";

expectNoLeaks();

describe("resamplePositionEmbedding", () => {
  it.each(readTimmFixture("vit_pieces").positions)(
    "equals timm's: from $from to $to",
    ({ from, to, width, values }) => {
      scope(() => {
        const tokens = 1 + from[0] * from[1];
        const embedding = Tensor.from(formulaUniform(3, tokens * width), [1, tokens, width]);
        const got = resamplePositionEmbedding(embedding, { from, to, prefixTokens: 1 });
        expect(got.shape).toEqual([1, 1 + to[0] * to[1], width]);
        const array = got.toArray("float32");
        expect(array).toHaveLength(values.length);
        values.forEach((value, i) => {
          expect(Math.abs(array[i]! - value)).toBeLessThan(1e-5);
        });
      });
    },
  );

  it("copies where the grids are equal, and keeps a half dtype", () => {
    scope(() => {
      const embedding = ops.toDtype(Tensor.from(formulaUniform(3, 10), [1, 5, 2]), "bfloat16");
      const same = resamplePositionEmbedding(embedding, {
        from: [2, 2],
        to: [2, 2],
        prefixTokens: 1,
      });
      expect(same).not.toBe(embedding);
      expect(ops.equal(same, embedding)).toBe(true);
      const larger = resamplePositionEmbedding(embedding, {
        from: [2, 2],
        to: [3, 3],
        prefixTokens: 1,
      });
      expect(larger.dtype).toBe("bfloat16");
      expect(larger.shape).toEqual([1, 10, 2]);
    });
  });

  it("refuses a grid that the embedding is not of", () => {
    scope(() => {
      const embedding = ops.zeros([1, 5, 2]);
      expect(() =>
        resamplePositionEmbedding(embedding, { from: [2, 3], to: [2, 2], prefixTokens: 1 }),
      ).toThrow(/\[1, 5, 2\] does not hold 1 \+ 2×3 tokens/);
    });
  });
});

it("squareGrid", () => {
  expect([squareGrid(196), squareGrid(1), squareGrid(6), squareGrid(0)]).toEqual([
    [14, 14],
    [1, 1],
    undefined,
    undefined,
  ]);
});
