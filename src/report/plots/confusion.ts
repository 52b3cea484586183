import type { CustomSeriesRenderItem } from "echarts";
import type { NamedConfusionMatrix } from "../../run/results.ts";
import type { Plot } from "./render.ts";
import { fontFamily, palette, roles, shorten, textWidth } from "./theme.ts";

const LABEL_LENGTH = 24;
const FONT = 13;

/** Up to so many classes each has its label. */
const ALL_LABELLED = 100;

/**
 * A confusion matrix: numbers are images, or of `normalised` ones percent of the true class; colour is the share of the
 * true class (row), so that a rare class is as readable as a frequent one.
 */
export function confusionPlot(
  name: string,
  matrix: NamedConfusionMatrix,
  options: { readonly normalised?: boolean } = {},
): Plot {
  const { normalised = false } = options;
  const { names, classes: n, counts } = matrix;
  const font = n > 50 ? FONT - 1 : FONT;
  const labels = names.map((label) => shorten(label, LABEL_LENGTH));
  const widest = Math.max(...labels.map((label) => textWidth(label, font)));
  const smallest = n > ALL_LABELLED ? 10 : font + 3;
  const cell = n <= 6 ? 76 : n <= 10 ? 58 : n <= 20 ? 44 : Math.max(smallest, Math.floor(900 / n));
  const isTurned = widest > cell - 8;
  // At 45° labels of narrow columns would touch. So turned they take 0.71 of their length in both directions.
  const turn = !isTurned ? 0 : cell < 30 ? 90 : 45;
  const below = { 0: 0, 45: 0.71 * widest, 90: widest }[turn] + 52;
  const left = widest + 52;
  const top = 76;
  // Very many classes: a label each would overlap.
  const everyLabel = Math.max(1, Math.ceil((font + 3) / cell));
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
  const label = { fontSize: font, color: roles.ink, interval: everyLabel - 1 };
  const renderItem: CustomSeriesRenderItem = (_, api) => {
    const [p, t, count] = [0, 1, 2].map((i) => Number(api.value(i))) as [number, number, number];
    const [x, y] = api.coord([p, t]) as [number, number];
    const share = totals[t] === 0 ? 0 : count / totals[t]!;
    const text = normalised ? shareText(share) : String(count);
    const size = Math.min(15, cell / 2.9 / Math.max(1, text.length / 4));
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
                  text,
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
    id: `confusion${normalised ? "-share" : ""}-${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}`,
    width,
    height: top + n * cell + below,
    option: {
      title: {
        text: shorten(`Confusion matrix of ${name}`, Math.floor(width / 10)),
        subtext: shorten(
          normalised
            ? `${total} test images; percent of the true class`
            : `${total} test images; colour: share of the true class`,
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
        axisLabel: { ...label, rotate: turn },
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

/** Percent, with a decimal where it is small. */
function shareText(share: number): string {
  const percent = 100 * share;
  return percent === 0 || percent >= 9.95 ? percent.toFixed(0) : percent.toFixed(1);
}
