import type { Run } from "../run/read.ts";
import { bytes, count, duration, percent, percentRange } from "./format.ts";

/** A column of the comparison: what a person reads, and what it is sorted by. */
export interface Column {
  readonly title: string;
  /** Undefined where the run has no such number. */
  readonly text: (run: Run) => string | undefined;
  readonly sortBy: (run: Run) => number | string | undefined;
}

function numeric(
  title: string,
  value: (run: Run) => number | null | undefined,
  format: (value: number, run: Run) => string,
): Column {
  const of = (run: Run) => value(run) ?? undefined;
  return {
    title,
    sortBy: of,
    text: (run) => {
      const number = of(run);
      return number === undefined ? undefined : format(number, run);
    },
  };
}

function textual(title: string, text: (run: Run) => string | undefined): Column {
  return { title, text, sortBy: text };
}

export const columns: readonly Column[] = [
  textual("Run", (run) => run.name),
  textual("Model", (run) => run.summary?.model),
  textual("Strategy", (run) => run.summary?.strategy),
  numeric("Parameters", (run) => run.summary?.parameters, count),
  numeric("Epochs", (run) => run.summary?.epochs, count),
  numeric(
    "Test accuracy",
    (run) => run.summary?.test?.accuracy,
    (value) => percent(value),
  ),
  numeric(
    "95 % interval",
    (run) => run.summary?.test?.accuracy95[0],
    (_, run) => percentRange(run.summary!.test!.accuracy95),
  ),
  numeric(
    "Macro-F1",
    (run) => run.summary?.test?.macroF1,
    (value) => value.toFixed(4),
  ),
  numeric("Training", (run) => run.summary?.seconds.train, duration),
  numeric("Images/s", (run) => run.summary?.imagesPerSecond, count),
  numeric("Peak memory", (run) => run.summary?.peakMemoryBytes, bytes),
  textual("Precision", (run) => run.summary?.precision),
  textual("Status", (run) => run.summary?.status ?? "running"),
];

export interface SettingRow {
  readonly key: string;
  /** One a run; undefined where it has no such setting. */
  readonly values: readonly (string | undefined)[];
  readonly differs: boolean;
}

/** Every setting of every run but its name and place, those that differ first; groups are opened (`augment.crop`). */
export function settings(runs: readonly Run[]): SettingRow[] {
  const documents = runs.map(({ config: { name: _name, out: _out, ...config } }) =>
    flatten(config, ""),
  );
  const keys = [...new Set(documents.flatMap((document) => [...document.keys()]))];
  const rows = keys.map((key) => {
    const values = documents.map((document) => document.get(key));
    return { key, values, differs: values.some((value) => value !== values[0]) };
  });
  return [...rows.filter((row) => row.differs), ...rows.filter((row) => !row.differs)];
}

function flatten(value: Readonly<Record<string, unknown>>, prefix: string): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [key, child] of Object.entries(value)) {
    if (typeof child === "object" && child !== null && !Array.isArray(child)) {
      const inner = flatten(child as Record<string, unknown>, `${prefix}${key}.`);
      for (const [path, text] of inner) flat.set(path, text);
    } else {
      flat.set(prefix + key, Array.isArray(child) ? child.join(", ") : String(child));
    }
  }
  return flat;
}
