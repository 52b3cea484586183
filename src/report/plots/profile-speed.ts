import type { Profile } from "../../run/profile.ts";
import type { Plot } from "./render.ts";
import { lineLook, roles } from "./theme.ts";

/** Throughput over the batch size, a line a model. */
export function throughputPlot({ models, mode, precision }: Profile): Plot {
  const what = mode === "train" ? "Training" : "Inference";
  const text = { fontSize: 12, color: roles.muted };
  const axis = { nameLocation: "middle" as const, nameTextStyle: { ...text, fontSize: 13 } };
  const points = models.flatMap(({ model, batches }, look) => {
    const own = batches.flatMap((batch) =>
      batch.kind === "measured" ? [[batch.batchSize, batch.imagesPerSecond]] : [],
    );
    return own.length === 0 ? [] : [{ model, look: lineLook(look), own }];
  });
  const sizes = [...new Set(points.flatMap(({ own }) => own.map(([size]) => size!)))];
  sizes.sort((a, b) => a - b);
  return {
    ...{ id: "throughput", width: 760, height: 430 },
    option: {
      title: {
        ...{ text: `${what} throughput (${precision})`, left: 16, top: 8 },
        textStyle: { fontSize: 17, fontWeight: "normal", color: roles.ink },
      },
      legend: { bottom: 8, left: "center", textStyle: { fontSize: 13, color: roles.ink } },
      grid: { left: 84, right: 28, top: 54, bottom: 92 },
      xAxis: {
        ...{ type: "category", ...axis, name: "images of a step", nameGap: 32 },
        data: sizes.map(String),
        axisLabel: text,
        axisLine: { lineStyle: { color: roles.muted } },
      },
      yAxis: {
        ...{ type: "value", ...axis, name: "images/s", nameGap: 56, min: 0, axisLabel: text },
        splitLine: { lineStyle: { color: roles.grid } },
      },
      series: points.map(({ model, look, own }) => ({
        ...{ type: "line", name: model, color: look.color, symbol: "circle", symbolSize: 8 },
        data: own.map(([size, speed]) => [String(size), speed!]),
        lineStyle: { color: look.color, width: 2.2, type: look.dash },
      })),
    },
  };
}
