import { describe, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { readTimmFixture } from "../../test/timm-fixtures.ts";
import { scope, Tensor } from "../tensor/index.ts";
import { mixedCrossEntropy } from "./index.ts";

const { labels, logits, cases } = readTimmFixture("mixup");

expectNoLeaks();

describe("the loss of mixed images is timm's of soft targets, and so is its gradient", () => {
  test.each(cases)("$kind of λ $lambda, smoothing $smoothing", (expected) => {
    scope(() => {
      const scores = Tensor.from(Float32Array.from(logits), [labels.length, 5]);
      scores.requiresGrad = true;
      const targets = Tensor.from(BigInt64Array.from(labels, BigInt), [labels.length]);
      const loss = mixedCrossEntropy(scores, targets, expected.lambda, {
        labelSmoothing: expected.smoothing,
      });
      expect(loss.item()).toBeCloseTo(expected.loss, 5);
      loss.backward();
      scores.grad!.toArray("float32").forEach((value, i) => {
        expect(value).toBeCloseTo(expected.gradient[i]!, 6);
      });
    });
  });
});
