import type { MeasuredBatch, Profile } from "../run/profile.ts";
import { memory } from "../tensor/index.ts";
import { peakProcessBytes } from "./process-memory.ts";
import { median, NOISY, percentile, spreadOf } from "./spread.ts";
import { computingMs, type PhaseName, phaseMs, phaseNames, type Step } from "./steps.ts";

/** What steps took together with what is known of them. */
export interface Subject {
  readonly mode: Profile["mode"];
  readonly multiplyAdds: number;
  readonly gemm: Profile["gemm"];
  readonly warmup: number;
}

export interface Peaks {
  readonly peakTensorBytes: number;
  readonly peakProcessBytes: number | null;
}

/** The peaks since they were reset. */
export function peaks(): Peaks {
  return {
    peakTensorBytes: memory().peakTensorBytes,
    peakProcessBytes: peakProcessBytes() ?? null,
  };
}

/** A backward pass differentiates by the input and by the weights: two products for each of the forward pass. */
const PASSES: Readonly<Record<Profile["mode"], number>> = { infer: 1, train: 3 };

/** The numbers of timed steps; undefined where there are none. */
export function measured(
  steps: readonly Step[],
  memory: Peaks,
  { mode, multiplyAdds, gemm, warmup }: Subject,
): MeasuredBatch | undefined {
  if (steps.length === 0) return undefined;
  // An epoch's last batch may be smaller: such a step says nothing of the others.
  const batchSize = Math.max(...steps.map(({ images }) => images));
  const whole = steps.filter(({ images }) => images === batchSize);
  const times = whole.map(computingMs);
  const seconds = median(whole.map(({ start, end }) => end - start)) / 1e9;
  const spread = spreadOf(times);
  const flops = 2 * multiplyAdds * PASSES[mode] * batchSize;
  const gflops = flops / (median(times) / 1000) / 1e9;
  return {
    kind: "measured",
    ...{ batchSize, steps: whole.length, warmup },
    latency: {
      p50: percentile(times, 50),
      p95: percentile(times, 95),
      p99: percentile(times, 99),
    },
    ...{ spread, noisy: spread > NOISY, imagesPerSecond: batchSize / seconds },
    phases: Object.fromEntries(
      phaseNames.map((name) => [name, median(whole.map((step) => phaseMs(step, name)))]),
    ) as Record<PhaseName, number>,
    ...memory,
    gflops,
    ofGemm: gemm === null ? null : gflops / gemm.used,
  };
}
