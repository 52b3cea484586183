import { type CalibrationBin, calibrationErrorOf } from "../../metrics/index.ts";
import { count, percent } from "../format.ts";
import type { Plot } from "./render.ts";
import { palette, roles, shorten } from "./theme.ts";

const SIDE = 420;
const LEFT = 72;
const SHARES = 90;

/** Accuracy against confidence, and below how many images each bin has. On the diagonal a model is as sure as it is right. */
export function reliabilityPlot(name: string, bins: readonly CalibrationBin[]): Plot {
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const full = bins.filter((bin) => bin.count > 0);
  const ece = calibrationErrorOf(bins);
  const axis = {
    nameLocation: "middle" as const,
    nameTextStyle: { fontSize: 13, color: roles.muted },
    axisLabel: { fontSize: 12, color: roles.muted },
    splitLine: { lineStyle: { color: roles.grid } },
  };
  // Bars reach to the very ends: the axis is not widened for them.
  const across = { type: "value" as const, min: 0, max: 100, interval: 20, containShape: false };
  const middle = (bin: CalibrationBin) => 50 * (bin.lo + bin.hi);
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
          data: full.map((bin) => [middle(bin), 100 * bin.accuracy!]),
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
