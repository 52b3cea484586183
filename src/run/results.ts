import { join } from "node:path";
import { formatCsv, parseCsv } from "../data/formats/csv.ts";
import { ThawError } from "../errors.ts";
import {
  accuracy,
  type ClassRow,
  type ConfusionMatrix,
  classificationReport,
  classRows,
  confusionMatrix,
  f1,
  logLoss,
  type Predictions,
  wilson95,
} from "../metrics/index.ts";
import { writeDurably } from "./durable.ts";
import type { Summary } from "./summary.ts";

export type TestResult = NonNullable<Summary["test"]>;

/** What a model says of the test set. */
export interface TestPredictions {
  readonly predictions: Predictions;
  /** Class names in the order of the columns. */
  readonly classes: readonly string[];
  /** File of each image; without them the rows carry its index. */
  readonly files?: readonly string[];
}

/** The files of `writeResults`. */
export const resultFiles = [
  "predictions.csv",
  "classification_report.txt",
  "per_class.csv",
  "confusion_matrix.csv",
] as const;

/**
 * Writes `predictions.csv`, `classification_report.txt`, `per_class.csv` and `confusion_matrix.csv` into a run's folder
 * and returns the numbers for its summary.
 */
export function writeResults(dir: string, test: TestPredictions): TestResult {
  const { predictions, classes } = test;
  const matrix = confusionMatrix(predictions);
  const write = (file: (typeof resultFiles)[number], text: string) =>
    writeDurably(join(dir, file), text);
  write("predictions.csv", formatCsv(predictionRows(test)));
  write("classification_report.txt", classificationReport(matrix, classes));
  write("per_class.csv", formatCsv(perClassRows(classRows(matrix, classes))));
  write("confusion_matrix.csv", formatCsv(matrixRows(matrix, classes)));
  return testResult(predictions);
}

/** The numbers of a summary. */
export function testResult(predictions: Predictions): TestResult {
  const share = accuracy.compute(predictions);
  return {
    accuracy: share,
    accuracy95: [...wilson95(Math.round(share * predictions.count), predictions.count)],
    macroF1: f1("macro").compute(predictions),
    loss: logLoss.compute(predictions),
    n: predictions.count,
  };
}

export interface NamedConfusionMatrix extends ConfusionMatrix {
  readonly names: readonly string[];
}

/** Parses `confusion_matrix.csv`. @throws ThawError that names the file and what is wrong in it. */
export function parseConfusionMatrix(text: string, path: string): NamedConfusionMatrix {
  const [head, ...rows] = parseCsv(text, path);
  const names = (head ?? []).slice(1);
  const counts = rows.flatMap((row) => row.slice(1).map(Number));
  const isSquare = rows.length === names.length && names.length > 0;
  if (!isSquare || rows.some((row, i) => row[0] !== names[i])) {
    throw new ThawError(`${path}: rows and columns are not the same classes`);
  }
  if (!counts.every((n) => Number.isInteger(n) && n >= 0)) {
    throw new ThawError(`${path}: a count is not a whole number`);
  }
  return { names, classes: names.length, counts: Float64Array.from(counts) };
}

/** Parses `per_class.csv`. @throws ThawError that names the file and what is wrong in it. */
export function parsePerClass(text: string, path: string): ClassRow[] {
  const [head, ...rows] = parseCsv(text, path);
  if (head?.join() !== PER_CLASS.join()) {
    throw new ThawError(`${path}: its columns are not ${PER_CLASS.join(", ")}`);
  }
  return rows.map(([name, ...values]) => {
    const [precision, recall, f1Score, support] = values.map(Number);
    if (values.some((value) => value === "" || !Number.isFinite(Number(value)))) {
      throw new ThawError(`${path}: the row of ${name} has a value that is no number`);
    }
    return { name: name!, precision: precision!, recall: recall!, f1: f1Score!, support: support! };
  });
}

const PER_CLASS = ["class", "precision", "recall", "f1", "support"];

function perClassRows(rows: readonly ClassRow[]): (string | number)[][] {
  return [PER_CLASS, ...rows.map((r) => [r.name, r.precision, r.recall, r.f1, r.support])];
}

function matrixRows({ counts }: ConfusionMatrix, names: readonly string[]): (string | number)[][] {
  const row = (t: number) => [...counts.subarray(t * names.length, (t + 1) * names.length)];
  return [["true \\ predicted", ...names], ...names.map((name, t) => [name, ...row(t)])];
}

function* predictionRows({
  predictions,
  classes,
  files,
}: TestPredictions): Generator<(string | number)[]> {
  const { count, probabilities, labels, predicted } = predictions;
  if (files !== undefined && files.length !== count) {
    throw new ThawError(`${files.length} files for ${count} predictions`);
  }
  yield [
    files === undefined ? "index" : "file",
    "true",
    "predicted",
    ...classes.map((c) => `p(${c})`),
  ];
  for (let i = 0; i < count; i++) {
    const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
    yield [
      files?.[i] ?? i,
      classes[labels[i]!]!,
      classes[predicted[i]!]!,
      ...Array.from(row, shortestFloat32),
    ];
  }
}

/** The shortest decimal that reads back as the same float32. */
function shortestFloat32(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
