import type { CustomSeriesRenderItem } from "echarts";
import type { NamedConfusionMatrix } from "../../run/results.ts";
import type { Plot } from "./render.ts";
import { fontFamily, palette, roles, shorten, textWidth } from "./theme.ts";

const LABEL_LENGTH = 24;
const FONT = 13;

/**
 * A confusion matrix: numbers are images, colour is the share of the true class (row), so that a rare class is as
 * readable as a frequent one.
 */
export function confusionPlot(name: string, matrix: NamedConfusionMatrix): Plot {
  const { names, classes: n, counts } = matrix;
  const labels = names.map((label) => shorten(label, LABEL_LENGTH));
  const widest = Math.max(...labels.map((label) => textWidth(label, FONT)));
  const cell = n <= 6 ? 76 : n <= 10 ? 58 : n <= 20 ? 44 : Math.max(10, Math.floor(900 / n));
  const isTurned = widest > cell - 8;
  // Labels at 45° take 0.71 of their length in both directions.
  const below = (isTurned ? 0.71 * widest : 0) + 52;
  const left = widest + 52;
  const top = 76;
  // Very many classes: a label each would overlap.
  const everyLabel = Math.max(1, Math.ceil((FONT + 3) / cell));
  const rows = Array.from({ length: n }, (_, t) => counts.subarray(t * n, (t + 1) * n));
  const totals = rows.map((row) => row.reduce((sum, count) => sum + count, 0));
  const axis = {
    type: "category" as const,
    data: labels,
    axisTick: { show: false },
    axisLine: { show: false },
    nameLocation: "middle" as const,
    nameTextStyle: { fontSize: 14, color: roles.muted },
  };
  const label = { fontSize: FONT, color: roles.ink, interval: everyLabel - 1 };
  const renderItem: CustomSeriesRenderItem = (_, api) => {
    const [p, t, count] = [0, 1, 2].map((i) => Number(api.value(i))) as [number, number, number];
    const [x, y] = api.coord([p, t]) as [number, number];
    const share = totals[t] === 0 ? 0 : count / totals[t]!;
    const size = Math.min(15, cell / 2.9 / Math.max(1, String(count).length / 4));
    return {
      type: "group",
      children: [
        {
          type: "rect",
          shape: { x: x - cell / 2, y: y - cell / 2, width: cell, height: cell },
          // Transparent where nothing is: the page shows through, dark or light.
          style: {
            fill: palette[0],
            // The root makes a share of 2 %, which is what one looks for, visible.
            opacity: Math.sqrt(share),
          },
        },
        {
          type: "rect",
          shape: { x: x - cell / 2, y: y - cell / 2, width: cell, height: cell },
          style: { fill: "none", stroke: roles.grid, lineWidth: n > 30 ? 0.3 : 1 },
        },
        ...(cell >= 24
          ? [
              {
                type: "text" as const,
                style: {
                  text: String(count),
                  x,
                  y,
                  align: "center" as const,
                  verticalAlign: "middle" as const,
                  fontFamily,
                  fontSize: size,
                  fill: share > 0.25 ? "#ffffff" : count === 0 ? roles.muted : roles.ink,
                },
              },
            ]
          : []),
      ],
    };
  };
  const total = totals.reduce((sum, count) => sum + count, 0);
  const width = left + n * cell + Math.max(24, 460 - left - n * cell);
  return {
    id: `confusion-${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}`,
    width,
    height: top + n * cell + below,
    option: {
      title: {
        text: shorten(`Confusion matrix of ${name}`, Math.floor(width / 10)),
        subtext: shorten(
          `${total} test images; colour: share of the true class`,
          Math.floor(width / 7),
        ),
        left: 16,
        top: 8,
        itemGap: 6,
        textStyle: { fontSize: 17, fontWeight: "normal", color: roles.ink },
        subtextStyle: { fontSize: 12, color: roles.muted },
      },
      grid: { left, top, width: n * cell, height: n * cell },
      xAxis: {
        ...axis,
        name: "predicted class",
        nameGap: below - 30,
        axisLabel: isTurned ? { ...label, rotate: 45 } : label,
      },
      yAxis: { ...axis, inverse: true, name: "true class", nameGap: widest + 24, axisLabel: label },
      series: [
        {
          type: "custom",
          renderItem,
          data: rows.flatMap((row, t) => Array.from(row, (count, p) => [p, t, count])),
        },
      ],
    },
  };
}
