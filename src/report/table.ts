import type { Difference, MeanOf } from "../metrics/index.ts";
import type { Run } from "../run/read.ts";
import { bytes, count, duration, percent, percentRange, points, pValue } from "./format.ts";
import type { Pair } from "./paired.ts";
import type { SeedGroup } from "./seeds.ts";

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

function rateOf({ config }: Run): number | undefined {
  return typeof config["lr"] === "number" ? config["lr"] : undefined;
}

/** The columns that at least one of the runs has something for. */
export function columnsOf(runs: readonly Run[]): readonly Column[] {
  return columns.filter((column) => runs.some((run) => column.text(run) !== undefined));
}

const columns: readonly Column[] = [
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
    (value, run) => {
      const present = run.summary?.test?.presentClasses;
      const over = `${present} of ${run.summary?.classes.length} classes`;
      return present === undefined ? value.toFixed(4) : `${value.toFixed(4)} (${over})`;
    },
  ),
  numeric(
    "Macro-F1, all classes",
    (run) => run.summary?.test?.macroF1AllClasses,
    (value) => value.toFixed(4),
  ),
  numeric("Trained", (run) => run.summary?.trainableParameters, count),
  numeric("Learning rate", (run) => rateOf(run), String),
  numeric("Training", (run) => run.summary?.seconds.train, duration),
  numeric("Images/s", (run) => run.summary?.imagesPerSecond, count),
  numeric(
    "Latency",
    (run) => run.summary?.latencyMs,
    (value) => `${Number(value.toPrecision(3))} ms`,
  ),
  numeric("Peak memory", (run) => run.summary?.peakMemoryBytes, bytes),
  textual("Precision", (run) => run.summary?.precision),
  textual("Status", (run) => run.summary?.status ?? "running"),
  numeric(
    "95 % interval (F1)",
    (run) => run.summary?.test?.macroF195?.[0],
    (_, run) => run.summary!.test!.macroF195!.map((bound) => bound.toFixed(4)).join(" to "),
  ),
  numeric(
    "Top-5",
    (run) => run.summary?.test?.top5,
    (value) => percent(value),
  ),
  numeric(
    "ROC-AUC",
    (run) => run.summary?.test?.rocAuc,
    (value) => value.toFixed(4),
  ),
  numeric(
    "Calibration error",
    (run) => run.summary?.test?.calibrationError,
    (value) => value.toFixed(4),
  ),
];

/** A table that is the same in HTML and Markdown. */
export interface PlainTable {
  readonly title: string;
  readonly note: string;
  /** The first column is text, the others are numbers. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What paired tests and seeds say, as far as there are any. */
export function statisticsTables(
  pairs: readonly Pair[],
  groups: readonly SeedGroup[],
): readonly PlainTable[] {
  const tables: PlainTable[] = [];
  if (groups.some(({ runs }) => runs.length > 1)) tables.push(seedsTable(groups));
  if (pairs.length > 0) tables.push(pairsTable(pairs));
  return tables;
}

function seedsTable(groups: readonly SeedGroup[]): PlainTable {
  const mean = ({ mean, interval95 }: MeanOf, format: (value: number) => string) => [
    format(mean),
    interval95 === null ? "–" : interval95.map(format).join(" to "),
  ];
  const share = (value: number) => (100 * value).toFixed(2);
  return {
    title: "Over seeds",
    note: "Mean of the runs that differ in their seed alone, and Student’s 95 % interval of that mean.",
    head: ["Configuration", "Seeds", "Accuracy (%)", "95 % interval", "Macro-F1", "95 % interval"],
    rows: groups.map(({ name, runs, accuracy, macroF1 }) => [
      ...[name, String(runs.length)],
      ...mean(accuracy, share),
      ...mean(macroF1, (value) => value.toFixed(4)),
    ]),
  };
}

function pairsTable(pairs: readonly Pair[]): PlainTable {
  const interval = (difference: Difference | undefined) =>
    difference === undefined ? "–" : difference.interval95.map(points).join(" to ");
  const best = pairs[0]!.best.name;
  return {
    title: `${best} against the others, on the same images`,
    note: `McNemar’s test, p after Holm’s correction for ${pairs.length} tests; intervals of the difference by the paired bootstrap.`,
    head: [
      "Run",
      ...["Points", "95 % interval", "Macro-F1 points", "95 % interval"],
      ...["Only the first right", "Only this right", "p", "Significant"],
    ],
    rows: pairs.map(({ best, other, mcnemar, p, isSignificant, accuracy, macroF1 }) => [
      other.name,
      points(best.summary.test.accuracy - other.summary.test.accuracy),
      interval(accuracy),
      points(best.summary.test.macroF1 - other.summary.test.macroF1),
      interval(macroF1),
      count(mcnemar.onlyFirst),
      count(mcnemar.onlySecond),
      pValue(p).replace("p = ", "").replace("p ", ""),
      isSignificant ? "yes" : "no",
    ]),
  };
}

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
