import type { CustomSeriesRenderItem } from "echarts";
import type { Plot } from "./render.ts";
import { fontFamily, lineLook, roles, shorten, textWidth } from "./theme.ts";

const ROW = 34;

/** Test accuracy of every run as a point with its 95 % interval: overlapping bars are runs that cannot be told apart. */
export function accuracyIntervals(
  runs: readonly {
    readonly label: string;
    /** Which `lineLook` it has. */
    readonly look: number;
    readonly accuracy: number;
    readonly accuracy95: readonly [number, number];
  }[],
): Plot {
  const labels = runs.map(({ label }) => shorten(label, 44));
  const left = Math.max(...labels.map((label) => textWidth(label, 13))) + 28;
  const width = Math.max(720, left + 480);
  const renderItem: CustomSeriesRenderItem = (params, api) => {
    const [row, value, lo, hi] = [0, 1, 2, 3].map((i) => Number(api.value(i))) as [
      number,
      number,
      number,
      number,
    ];
    const at = (share: number) => api.coord([share, row]) as [number, number];
    const [x, y] = at(value);
    const [x1] = at(lo);
    const [x2] = at(hi);
    const area = params.coordSys as unknown as { readonly x: number; readonly width: number };
    const { color } = lineLook(runs[row]!.look);
    const bar = (a: number, b: number, c: number, d: number) => ({
      type: "line" as const,
      shape: { x1: a, y1: b, x2: c, y2: d },
      style: { stroke: color, lineWidth: 2.2 },
    });
    return {
      type: "group",
      children: [
        bar(x1, y, x2, y),
        bar(x1, y - 6, x1, y + 6),
        bar(x2, y - 6, x2, y + 6),
        { type: "circle", shape: { cx: x, cy: y, r: 5 }, style: { fill: color } },
        {
          type: "text",
          style: {
            text: `${value.toFixed(2)} %`,
            x: area.x + area.width + 14,
            y,
            verticalAlign: "middle",
            fontFamily,
            fontSize: 13,
            fill: roles.ink,
          },
        },
      ],
    };
  };
  const los = runs.map(({ accuracy95 }) => 100 * accuracy95[0]);
  const his = runs.map(({ accuracy95 }) => 100 * accuracy95[1]);
  const spread = Math.max(...his) - Math.min(...los);
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => s >= spread / 6) ?? 20;
  const min = Math.max(0, Math.floor(Math.min(...los) / step) * step);
  return {
    id: "intervals",
    width,
    height: 44 + runs.length * ROW + 64,
    option: {
      title: {
        text: "Test accuracy with 95 % intervals",
        left: 16,
        top: 8,
        textStyle: { fontSize: 17, fontWeight: "normal", color: roles.ink },
      },
      grid: { left, right: 96, top: 48, height: runs.length * ROW },
      xAxis: {
        type: "value",
        min: Number(min.toFixed(1)),
        max: Math.min(100, Number((Math.ceil(Math.max(...his) / step) * step).toFixed(1))),
        interval: step,
        name: "accuracy (%)",
        nameLocation: "middle",
        nameGap: 30,
        nameTextStyle: { fontSize: 13, color: roles.muted },
        axisLabel: {
          fontSize: 12,
          color: roles.muted,
          formatter: (value: number) => String(Number(value.toFixed(1))),
        },
        splitLine: { lineStyle: { color: roles.grid } },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: labels,
        axisTick: { show: false },
        axisLine: { lineStyle: { color: roles.muted } },
        axisLabel: { fontSize: 13, color: roles.ink },
      },
      series: [
        {
          type: "custom",
          renderItem,
          encode: { x: [1, 2, 3], y: 0 },
          data: runs.map(({ accuracy }, i) => [i, 100 * accuracy, los[i]!, his[i]!]),
        },
      ],
    },
  };
}
