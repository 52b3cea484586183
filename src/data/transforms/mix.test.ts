import { describe, expect, it, test } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { readTimmFixture } from "../../../test/timm-fixtures.ts";
import { scope, Tensor } from "../../tensor/index.ts";
import { drawMix, mixImages } from "./mix.ts";

const fixture = readTimmFixture("mixup");

expectNoLeaks();

test.each(fixture.cases)(
  "$kind of λ $lambda is timm's, to the last bit",
  ({ lambda, box, images }) => {
    scope(() => {
      const batch = Tensor.from(Float32Array.from(fixture.images), fixture.shape);
      const [top = 0, bottom = 0, left = 0, right = 0] = box ?? [];
      mixImages(batch, {
        lambda,
        ...(box && { box: { top, left, height: bottom - top, width: right - left } }),
      });
      expect(batch.toArray("float32")).toEqual(Float32Array.from(images));
    });
  },
);

test("an empty box changes nothing", () => {
  scope(() => {
    const batch = Tensor.from(Float32Array.of(1, 2), [2, 1, 1, 1]);
    mixImages(batch, { lambda: 1, box: { top: 0, left: 0, height: 0, width: 0 } });
    expect([...batch.toArray("float32")]).toEqual([1, 2]);
  });
});

describe("drawn as timm draws", () => {
  const N = 20_000;
  it.each(fixture.draws)("mixup $mixup, cutmix $cutmix", ({ mixup, cutmix, size, ...expected }) => {
    const drawn = Array.from({ length: N }, (_, index) =>
      drawMix({ mixup, cutmix }, { seed: 3, epoch: 1, index }, size),
    );
    const close = (values: readonly number[], mean: number, std: number) => {
      const own = values.reduce((sum, value) => sum + value, 0) / values.length;
      const square = values.reduce((sum, value) => sum + (value - own) ** 2, 0) / values.length;
      expect(Math.abs(own - mean)).toBeLessThan((6 * std) / Math.sqrt(values.length));
      expect(Math.abs(Math.sqrt(square) / std - 1)).toBeLessThan(0.04);
    };
    close(
      drawn.map(({ lambda }) => lambda),
      expected.mean,
      expected.std,
    );
    const boxes = drawn.flatMap(({ box }) => box ?? []);
    expect(Math.abs(boxes.length / N - expected.share)).toBeLessThan(0.02);
    const edges = boxes.map(({ top, left, height, width }) => [
      top,
      top + height,
      left,
      left + width,
    ]);
    for (const [i, mean] of expected.box?.mean.entries() ?? []) {
      close(
        edges.map((edge) => edge[i]!),
        mean,
        expected.box!.std[i]!,
      );
    }
  });

  it("depends on seed, epoch and batch alone", () => {
    const lambda = (seed: number, epoch: number, index: number) =>
      drawMix({ mixup: 0.4, cutmix: 0 }, { seed, epoch, index }, [8, 8]).lambda;
    const all = [lambda(1, 1, 0), lambda(2, 1, 0), lambda(1, 2, 0), lambda(1, 1, 1)];
    expect(new Set(all).size).toBe(4);
    expect(lambda(1, 1, 0)).toBe(all[0]);
  });

  it("an alpha that is tiny or huge gives a λ in 0..1", () => {
    for (const mixup of [1e-6, 1e-3, 1e6]) {
      for (let index = 0; index < 200; index++) {
        const { lambda } = drawMix({ mixup, cutmix: 0 }, { seed: 1, epoch: 1, index }, [8, 8]);
        expect(lambda >= 0 && lambda <= 1).toBe(true);
      }
    }
  });
});
