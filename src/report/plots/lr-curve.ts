import type { LrFind } from "../../run/lr-find.ts";
import type { Plot } from "./render.ts";
import { palette, roles, shorten } from "./theme.ts";

const WIDTH = 760;
const HEIGHT = 430;

/** The course of a range test: smoothed loss over the learning rate, the batches' own behind it, and what is suggested. */
export function lrCurve(name: string, found: LrFind): Plot {
  const smooth = found.points.map(({ lr, smooth }) => [lr, smooth] as [number, number]);
  const raw = found.points.map(({ lr, loss }) => [lr, loss] as [number, number]);
  const sorted = smooth.map(([, value]) => value).sort((a, b) => a - b);
  const [low, high] = [sorted[0]!, sorted.at(-1)!];
  // The last steps go through the roof: the picture is of what comes before.
  const usual = sorted[Math.floor(sorted.length * 0.9)]!;
  const top = Math.min(high, usual + 0.6 * (usual - low || 1));
  const bottom = Math.max(0, Math.min(...raw.map(([, value]) => value)));
  const markAt = (by: "valley" | "steepest") => {
    const lr = found[by];
    return [lr, smooth.find(([x]) => x === lr)![1]] as [number, number];
  };
  const marks = (["valley", "steepest"] as const).map((by, i) => ({
    type: "scatter" as const,
    name: `${by} ${found[by].toExponential(1)}`,
    data: [markAt(by)],
    symbolSize: 14,
    symbol: i === 0 ? "circle" : "diamond",
    itemStyle: { opacity: 1, color: palette[i + 1]!, borderColor: roles.paper, borderWidth: 2 },
    z: 5,
  }));
  const axisName = { nameLocation: "middle" as const };
  const text = { fontSize: 13, color: roles.muted };
  return {
    id: "lr-find",
    width: WIDTH,
    height: HEIGHT,
    option: {
      title: {
        text: shorten(`Learning rate range test of ${name}`, 70),
        left: 16,
        top: 8,
        textStyle: { fontSize: 17, fontWeight: "normal", color: roles.ink },
      },
      legend: { bottom: 8, left: "center", textStyle: { fontSize: 13, color: roles.ink } },
      grid: { left: 76, right: 28, top: 54, bottom: 88 },
      xAxis: {
        type: "log",
        ...axisName,
        name: "learning rate",
        nameGap: 30,
        nameTextStyle: text,
        min: found.range.from,
        max: found.range.to,
        axisLabel: {
          fontSize: 12,
          color: roles.muted,
          formatter: (value: number) => value.toExponential(0),
        },
        splitLine: { lineStyle: { color: roles.grid } },
      },
      yAxis: {
        type: "value",
        ...axisName,
        name: "cross-entropy (nats)",
        nameGap: 52,
        nameTextStyle: text,
        min: bottom,
        max: top,
        axisLabel: {
          showMinLabel: false,
          showMaxLabel: false,
          fontSize: 12,
          color: roles.muted,
          formatter: (value: number) => String(Number(value.toPrecision(3))),
        },
        splitLine: { lineStyle: { color: roles.grid } },
      },
      series: [
        {
          type: "line",
          name: "loss of a batch",
          data: raw,
          showSymbol: false,
          clip: true,
          color: roles.muted,
          lineStyle: { color: roles.muted, width: 1, opacity: 0.45 },
        },
        {
          type: "line",
          name: "smoothed",
          data: smooth,
          showSymbol: false,
          clip: true,
          color: palette[0],
          lineStyle: { color: palette[0], width: 2.4 },
        },
        ...marks,
      ],
    },
  };
}
