import { join } from "node:path";
import type { Run } from "../run/read.ts";
import { count } from "./format.ts";
import { writeSvg } from "./plots/render.ts";
import { accuracyScatter } from "./plots/scatter.ts";
import { tablePicture } from "./plots/table-picture.ts";
import { columnsOf } from "./table.ts";
import { isFinished } from "./test-sets.ts";

/** Something that a run costs, for the x axis. */
interface Cost {
  readonly file: string;
  readonly title: string;
  readonly axis: string;
  /** Undefined where the run does not say. */
  readonly of: (run: Run) => number | undefined;
}

const costs: readonly Cost[] = [
  {
    ...{ file: "accuracy_parameters", title: "Accuracy against size", axis: "parameters" },
    of: (run) => run.summary?.parameters,
  },
  {
    file: "accuracy_latency",
    ...{ title: "Accuracy against latency", axis: "milliseconds an image" },
    of: (run) => run.summary?.latencyMs,
  },
  {
    file: "accuracy_training",
    ...{ title: "Accuracy against training time", axis: "seconds of training" },
    of: (run) => run.summary?.seconds.train,
  },
];

/** What accuracy costs: a plot for each cost that a run tells, as SVG. */
export function costPlots(runs: readonly Run[]): { readonly file: string; readonly svg: string }[] {
  return costs.flatMap(({ file, of, ...axis }) => {
    const points = runs.flatMap((run) => {
      const x = of(run);
      if (!isFinished(run) || x === undefined || !(x > 0)) return [];
      return [{ label: run.name, x, accuracy: run.summary.test.accuracy }];
    });
    if (points.length === 0) return [];
    return [{ file, svg: accuracyScatter(points, { ...axis, format: short }).svg }];
  });
}

/**
 * Draws `comparison`, a table, and what accuracy costs (`accuracy_parameters`, `accuracy_training`; `accuracy_latency` where
 * it was measured) into a folder, each as SVG and PNG. Returns the files.
 */
export async function writeComparisonPlots(
  title: string,
  runs: readonly Run[],
  into: string,
): Promise<string[]> {
  const columns = columnsOf(runs);
  const table = tablePicture({
    title,
    heads: columns.map((column) => column.title),
    rows: runs.map((run) => columns.map((column) => column.text(run) ?? "–")),
    numeric: columns.map((column) => runs.some((run) => typeof column.sortBy(run) === "number")),
  });
  const pictures = [{ file: "comparison", svg: table.svg }, ...costPlots(runs)];
  const files = await Promise.all(pictures.map(({ file, svg }) => writeSvg(svg, join(into, file))));
  return files.flat();
}

/** `300 k`, `1.5 M`, `0.7`. */
function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  return value >= 1 ? count(value) : String(Number(value.toPrecision(2)));
}
