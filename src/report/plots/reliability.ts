import { count, percent } from "../format.ts";
import type { Plot } from "./render.ts";
import { palette, roles, shorten } from "./theme.ts";

/** What is needed of each image: the probability of the predicted class, and whether it is the true one. */
export interface Confidences {
  readonly confidence: ArrayLike<number>;
  readonly correct: ArrayLike<boolean>;
}

export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Means; 0 where the bin is empty. */
  readonly confidence: number;
  readonly accuracy: number;
}

/** Bins of equal width, the upper edge belonging to a bin. (Guo et al. 2017, §2) */
export function reliabilityBins(
  { confidence, correct }: Confidences,
  bins = 15,
): readonly ReliabilityBin[] {
  const sums = Array.from({ length: bins }, () => ({ n: 0, confidence: 0, correct: 0 }));
  for (let i = 0; i < confidence.length; i++) {
    const bin = sums[Math.min(bins - 1, Math.max(0, Math.ceil(confidence[i]! * bins) - 1))]!;
    bin.n++;
    bin.confidence += confidence[i]!;
    bin.correct += correct[i] ? 1 : 0;
  }
  return sums.map((sum, i) => ({
    ...{ from: i / bins, to: (i + 1) / bins, count: sum.n },
    confidence: sum.n === 0 ? 0 : sum.confidence / sum.n,
    accuracy: sum.n === 0 ? 0 : sum.correct / sum.n,
  }));
}

/** ECE: mean distance of confidence and accuracy over the bins, by their images. (Guo et al. 2017, eq. 3) */
export function expectedCalibrationError(bins: readonly ReliabilityBin[]): number {
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const off = bins.reduce((sum, b) => sum + b.count * Math.abs(b.accuracy - b.confidence), 0);
  return total === 0 ? 0 : off / total;
}

const SIDE = 420;
const LEFT = 72;
const SHARES = 90;

/** Accuracy against confidence, and below how many images each bin has. On the diagonal a model is as sure as it is right. */
export function reliabilityPlot(name: string, bins: readonly ReliabilityBin[]): Plot {
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const full = bins.filter((bin) => bin.count > 0);
  const ece = expectedCalibrationError(bins);
  const axis = {
    nameLocation: "middle" as const,
    nameTextStyle: { fontSize: 13, color: roles.muted },
    axisLabel: { fontSize: 12, color: roles.muted },
    splitLine: { lineStyle: { color: roles.grid } },
  };
  // Bars reach to the very ends: the axis is not widened for them.
  const across = { type: "value" as const, min: 0, max: 100, interval: 20, containShape: false };
  const middle = (bin: ReliabilityBin) => 50 * (bin.from + bin.to);
  const width = (SIDE / bins.length) * 0.92;
  return {
    id: `reliability-${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}`,
    width: LEFT + SIDE + 28,
    height: 84 + SIDE + 36 + SHARES + 60,
    option: {
      title: {
        text: shorten(`Reliability of ${name}`, 48),
        subtext: `${count(total)} test images; expected calibration error ${percent(ece)}`,
        ...{ left: 16, top: 8, itemGap: 6 },
        textStyle: { fontSize: 17, fontWeight: "normal", color: roles.ink },
        subtextStyle: { fontSize: 12, color: roles.muted },
      },
      legend: {
        ...{ bottom: 4, left: "center", itemWidth: 22 },
        data: ["accuracy", "as sure as right"],
        textStyle: { fontSize: 13, color: roles.ink },
      },
      grid: [
        { left: LEFT, top: 72, width: SIDE, height: SIDE },
        { left: LEFT, top: 72 + SIDE + 24, width: SIDE, height: SHARES },
      ],
      xAxis: [
        { ...axis, ...across, gridIndex: 0, axisLabel: { show: false } },
        { ...axis, ...across, gridIndex: 1, name: "confidence (%)", nameGap: 28 },
      ],
      yAxis: [
        { ...axis, ...across, gridIndex: 0, name: "accuracy (%)", nameGap: 44 },
        {
          ...{ ...axis, type: "value", gridIndex: 1, name: "images (%)", nameGap: 44 },
          ...{ min: 0, max: 100, interval: 50 },
        },
      ],
      series: [
        {
          ...{ type: "bar", name: "accuracy", barWidth: width, color: palette[0] },
          data: full.map((bin) => [middle(bin), 100 * bin.accuracy]),
        },
        {
          ...{ type: "line", name: "as sure as right", symbol: "none", color: palette[1] },
          ...{ lineStyle: { color: palette[1], type: "dashed", width: 2 } },
          data: [
            [0, 0],
            [100, 100],
          ],
        },
        {
          ...{ type: "bar", xAxisIndex: 1, yAxisIndex: 1, barWidth: width, color: palette[5] },
          data: full.map((bin) => [middle(bin), (100 * bin.count) / total]),
        },
      ],
    },
  };
}
