import { expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { checkParity } from "./parity.ts";
import type { OnnxSession } from "./session.ts";
import type { Subject } from "./subject.ts";

expectNoLeaks();

const { val } = sampleSplits();
const input = { channels: 1, height: 16, width: 16, mean: [0.4], std: [0.3] };
/** Logits that name the first class, and the same with another value at one place. */
const logits = (images: number) =>
  Float32Array.from({ length: 3 * images }, (_, i) => (i % 3 === 0 ? 2 : 0));

async function parity(at: number, value: number) {
  const subject = {
    metadata: { input, classes: val.classes },
    answer: (images: { size(axis: number): number }) => logits(images.size(0)),
  } as unknown as Subject;
  const session = {
    first: async ({ shape }: { shape: readonly number[] }) => {
      const data = logits(shape[0]!);
      if (at >= 0) data[at] = value;
      return { data, shape: [shape[0], 3] };
    },
  } as unknown as OnnxSession;
  return checkParity(session, subject, val, { precision: "fp32", takes: "normalised" });
}

it("is the largest difference and the share of equal classes", async () => {
  expect(await parity(-1, 0)).toEqual({
    images: 24,
    maxDifference: 0,
    agreement: 1,
    passed: true,
  });
  const { maxDifference, agreement, passed } = await parity(1, 3);
  expect({ maxDifference, agreement, passed }).toEqual({
    maxDifference: 3,
    agreement: 23 / 24,
    passed: false,
  });
});

it("does not lose a NaN among numbers", async () => {
  const { maxDifference, passed } = await parity(4, Number.NaN);
  expect(maxDifference).toBeNaN();
  expect(passed).toBe(false);
});
