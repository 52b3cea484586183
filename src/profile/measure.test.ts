import { expect, it } from "vitest";
import { measured, type Peaks, type Subject } from "./measure.ts";
import { notesOn } from "./profile.ts";
import type { Step } from "./steps.ts";

const ms = 1e6;
/** A step of 64 images, or others, of which 2 ms are the wait for data. */
const step = (milliseconds: number, images = 64): Step => ({
  ...{ start: 0, end: (milliseconds + 2) * ms, images },
  phases: [
    { name: "data", start: 0, end: 2 * ms },
    { name: "forward", start: 2 * ms, end: (milliseconds + 2) * ms },
  ],
});
const memory: Peaks = { peakTensorBytes: 1e6, peakProcessBytes: null };
const subject: Subject = {
  ...{ mode: "infer", multiplyAdds: 5e8, warmup: 3 },
  gemm: { fp32: 400, used: 800 },
};

it("takes medians, percentiles and spread of whole batches, and sets GFLOP/s against the product's", () => {
  const steps = [...[10, 10, 10, 10.5, 9.5].map((time) => step(time)), step(1, 8)];
  expect(measured(steps, memory, subject)).toMatchObject({
    ...{ batchSize: 64, steps: 5, warmup: 3, noisy: false, spread: 0 },
    latency: { p50: 10, p95: 10.4, p99: 10.48 },
    phases: { data: 2, forward: 10, backward: 0 },
    imagesPerSecond: 64 / 0.012,
    // 64 · 2 · 0.5 G in 10 ms.
    ...{ gflops: 6400, ofGemm: 8 },
  });
  expect(measured([], memory, subject)).toBeUndefined();
});

it("says that a measurement is noisy whose middle half is wider than a tenth of its median", () => {
  const [quiet, noisy] = [
    [10, 10.2, 10.4, 10.6, 10.8],
    [10, 10, 11.5, 11.5, 11.5],
  ].map(
    (times) =>
      measured(
        times.map((time) => step(time)),
        memory,
        subject,
      )!,
  );
  expect([quiet!.noisy, noisy!.noisy]).toEqual([false, true]);
  const model = {
    ...{ model: "a", input: [3, 8, 8] as [number, number, number], classes: 2, parameters: 1 },
    ...{ multiplyAdds: 1, batches: [quiet!, noisy!], shares: null },
  };
  expect(notesOn([model])).toEqual([
    "a, batch 64: the measurement is noisy (middle half of the steps within 13 % of the median): take it again on a quiet machine",
  ]);
});
