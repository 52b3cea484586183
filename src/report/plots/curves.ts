import type { EChartsOption } from "echarts";
import type { EpochLine } from "../../run/summary.ts";
import type { Plot } from "./render.ts";
import { lineLook, roles, shorten, textWidth } from "./theme.ts";

/** Lines of one panel: (epoch, value) points. */
interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly look: ReturnType<typeof lineLook>;
  /** An epoch to mark with a vertical line, and its words. */
  readonly mark?: { readonly epoch: number; readonly text: string };
}

interface Panel {
  readonly title: string;
  /** Name of the y axis, with its unit. */
  readonly axis: string;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
}

/** Loss, accuracy, learning rate and, where it is known, the gradient's norm (a mean an epoch) of one run over its epochs. */
export function trainingCurves(
  name: string,
  epochs: readonly EpochLine[],
  best?: { readonly epoch: number } | null,
  gradNorms: ReadonlyMap<number, number> = new Map(),
): Plot {
  const line = (n: number, label: string, of: (epoch: EpochLine) => number): Line => ({
    name: label,
    points: epochs.map((epoch) => [epoch.epoch, of(epoch)] as const),
    look: lineLook(n),
  });
  const mark = best ? { mark: { epoch: best.epoch, text: `best: epoch ${best.epoch}` } } : {};
  return panels(`curves-${slug(name)}`, `Training of ${name}`, [
    {
      title: "Loss",
      axis: "cross-entropy (nats)",
      format: plain,
      lines: [line(0, "training", (e) => e.trainLoss), line(1, "validation", (e) => e.valLoss)],
    },
    {
      title: "Accuracy",
      axis: "accuracy (%)",
      format: plain,
      lines: [
        line(0, "training", (e) => 100 * e.trainAccuracy),
        { ...line(1, "validation", (e) => 100 * e.valAccuracy), ...mark },
      ],
    },
    {
      title: "Learning rate",
      axis: "learning rate",
      format: (value) => (value === 0 ? "0" : value.toExponential(1).replace(".0e", "e")),
      lines: [{ ...line(2, "learning rate", (e) => e.lr) }],
    },
    ...(gradNorms.size === 0
      ? []
      : [
          {
            title: "Gradient norm",
            axis: "L2 norm before clipping",
            format: plain,
            lines: [line(3, "gradient norm", (e) => gradNorms.get(e.epoch) ?? Number.NaN)],
          },
        ]),
  ]);
}

/** Validation loss and accuracy of many runs, a line each. */
export function comparedCurves(
  runs: readonly {
    readonly label: string;
    /** Which `lineLook` it has. */
    readonly look: number;
    readonly epochs: readonly EpochLine[];
  }[],
): Plot {
  const lines = (of: (epoch: EpochLine) => number): Line[] =>
    runs.map(({ label, epochs, look }) => ({
      name: label,
      points: epochs.map((epoch) => [epoch.epoch, of(epoch)] as const),
      look: lineLook(look),
    }));
  return panels("compared", "Validation over the epochs", [
    {
      title: "Loss",
      axis: "cross-entropy (nats)",
      format: plain,
      lines: lines((e) => e.valLoss),
    },
    {
      title: "Accuracy",
      axis: "accuracy (%)",
      format: plain,
      lines: lines((e) => 100 * e.valAccuracy),
    },
  ]);
}

const PANEL = 400;
const LEFT = 72;
const TOP = 78;
const PLOT_HEIGHT = 250;
const LEGEND_ROW = 22;

function panels(id: string, title: string, all: readonly Panel[]): Plot {
  const width = all.length * PANEL + 16;
  const names = [...new Set(all.flatMap((panel) => panel.lines.map((line) => line.name)))].filter(
    // The panel's title already says it.
    (name) => name !== "learning rate" && name !== "gradient norm",
  );
  const legend = legendRows(names, width - 40);
  const lastEpoch = Math.max(
    1,
    ...all.flatMap((p) => p.lines.flatMap((l) => l.points.map(([x]) => x))),
  );
  const option: EChartsOption = {
    title: [
      { text: shorten(title, 100), left: 16, top: 8, textStyle: titleStyle(17) },
      ...all.map((panel, i) => ({
        text: panel.title,
        left: i * PANEL + LEFT - 5,
        top: 42,
        textStyle: titleStyle(14),
      })),
    ],
    legend: {
      data: names,
      bottom: 8,
      left: "center",
      width: width - 40,
      itemWidth: 30,
      textStyle: { fontSize: 13, color: roles.ink },
      formatter: (name: string) => shorten(name, 40),
    },
    grid: all.map((_, i) => ({
      left: i * PANEL + LEFT,
      top: TOP,
      width: PANEL - LEFT - 12,
      height: PLOT_HEIGHT,
    })),
    xAxis: all.map((_, i) => ({
      gridIndex: i,
      type: "value",
      name: "epoch",
      nameLocation: "middle",
      nameGap: 30,
      nameTextStyle: { fontSize: 13, color: roles.muted },
      min: 0,
      max: lastEpoch === 1 ? 2 : lastEpoch,
      interval: tickInterval(lastEpoch),
      axisLabel: { fontSize: 12, color: roles.muted, hideOverlap: true, showMaxLabel: true },
      axisLine: { lineStyle: { color: roles.muted } },
      splitLine: { show: false },
    })),
    yAxis: all.map((panel, i) => ({
      gridIndex: i,
      type: "value",
      scale: true,
      name: panel.axis,
      nameLocation: "middle",
      nameGap: 50,
      nameTextStyle: { fontSize: 13, color: roles.muted },
      axisLabel: { fontSize: 12, color: roles.muted, formatter: panel.format },
      splitLine: { lineStyle: { color: roles.grid } },
    })),
    series: all.flatMap((panel, i) => panel.lines.map((line) => series(line, i, lastEpoch))),
  };
  const height = TOP + PLOT_HEIGHT + 58 + legend * LEGEND_ROW;
  return { id, width, height, option };
}

function series({ name, points, look, mark }: Line, panel: number, lastEpoch: number) {
  return {
    type: "line" as const,
    name,
    xAxisIndex: panel,
    yAxisIndex: panel,
    // What is no number is a gap.
    data: points.map(([x, y]) => [x, Number.isFinite(y) ? y : "-"]),
    // A point alone makes no line.
    showSymbol: points.length <= 25,
    symbol: "circle",
    symbolSize: points.length === 1 ? 9 : 5,
    color: look.color,
    lineStyle: { color: look.color, width: 2.2, type: look.dash },
    ...(mark === undefined
      ? {}
      : {
          markLine: {
            symbol: "none",
            silent: true,
            lineStyle: { color: roles.muted, type: "dashed" as const, width: 1 },
            label: {
              formatter: mark.text,
              position: "end" as const,
              fontSize: 11,
              color: roles.muted,
              distance: 4,
              // Near an edge a centred label would run into the next panel.
              align: labelAlign(mark.epoch / Math.max(2, lastEpoch)),
            },
            data: [{ xAxis: mark.epoch }],
          },
        }),
  };
}

function labelAlign(position: number): "left" | "center" | "right" {
  if (position > 0.75) return "right";
  return position < 0.25 ? "left" : "center";
}

/** Whole epochs only, about six of them. */
function tickInterval(last: number): number {
  const rough = Math.max(1, last / 6);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= rough && step >= 1) ?? 1;
}

function legendRows(names: readonly string[], width: number): number {
  let rows = 1;
  let used = 0;
  for (const name of names) {
    const item = 30 + 5 + textWidth(shorten(name, 40), 13) + 10;
    if (used > 0 && used + item > width) {
      rows++;
      used = 0;
    }
    used += item;
  }
  return rows;
}

function titleStyle(fontSize: number) {
  return { fontSize, fontWeight: "normal" as const, color: roles.ink };
}

function plain(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function slug(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9]+/g, "-");
}
