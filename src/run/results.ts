import { rmSync } from "node:fs";
import { join } from "node:path";
import { formatCsv, parseCsv } from "../data/formats/csv.ts";
import { fromCell, toCell } from "../data/formats/spreadsheet.ts";
import { imageNames, imagesDigest } from "../data/images-digest.ts";
import type { SplitSet } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import {
  accuracy,
  bootstrapMacroF1,
  type CalibrationBin,
  type ClassRow,
  type ConfusionMatrix,
  calibrationBins,
  calibrationError,
  classificationReport,
  classRows,
  confusionMatrix,
  logLoss,
  type Predictions,
  rocAuc,
  topK,
  wilson95,
} from "../metrics/index.ts";
import { writeDurably } from "../platform/durable.ts";
import type { WriteContext } from "../platform/system-error.ts";
import { BOOTSTRAP_SEED, macroF1s } from "./macro-f1.ts";
import type { Summary } from "./summary.ts";

export type TestResult = NonNullable<Summary["test"]>;

/** What a model says of the test set. */
export interface TestPredictions {
  readonly predictions: Predictions;
  /** Class names in the order of the columns. */
  readonly classes: readonly string[];
  /** File of each image; without them the rows carry its index. */
  readonly files?: readonly string[];
  /** The images, from which `files` and the digest of the test set come. */
  readonly set?: SplitSet;
  /** False for a model whose confidences only rank: it has no loss and no calibration. Default true. */
  readonly isProbability?: boolean;
}

/** The files of `writeResults`. */
export const resultFiles = [
  "predictions.csv",
  "classification_report.txt",
  "per_class.csv",
  "confusion_matrix.csv",
  "calibration.csv",
] as const;

/** Drawn from the results. */
const resultPictures = [
  "confusion_matrix",
  "confusion_matrix_normalised",
  "reliability",
  "misclassified",
];

export function removePictures(dir: string): void {
  for (const name of resultPictures) {
    for (const extension of ["svg", "png"])
      rmSync(join(dir, `${name}.${extension}`), { force: true });
  }
}

const resultsPlace: WriteContext = {
  elsewhere: "run the command again where the file can be written",
  ifFull: "Free some space and run the command again; for `thaw train`, use --resume.",
};

/**
 * Writes `predictions.csv`, `classification_report.txt`, `per_class.csv`, `confusion_matrix.csv` and, of probabilities,
 * `calibration.csv` into a run's folder and returns the numbers for its summary.
 */
export function writeResults(dir: string, test: TestPredictions): TestResult {
  const { predictions, classes, set, isProbability = true } = test;
  const matrix = confusionMatrix(predictions);
  // First: after a kill in between, pictures are missing, which is seen and made good, and never those of other results.
  removePictures(dir);
  const write = (file: (typeof resultFiles)[number], text: string) =>
    writeDurably(join(dir, file), text, resultsPlace);
  write("predictions.csv", formatCsv(predictionRows(test)));
  write("classification_report.txt", classificationReport(matrix, classes));
  write("per_class.csv", formatCsv(perClassRows(classRows(matrix, classes))));
  write("confusion_matrix.csv", formatCsv(matrixRows(matrix, classes)));
  if (isProbability) {
    write("calibration.csv", formatCsv(calibrationRows(calibrationBins(predictions))));
  } else {
    rmSync(join(dir, "calibration.csv"), { force: true });
  }
  return testResult(predictions, { isProbability, ...(set && { set }) });
}

/** The numbers of a summary. */
export function testResult(
  predictions: Predictions,
  { isProbability = true, set }: Pick<TestPredictions, "isProbability" | "set"> = {},
): TestResult {
  const { count, classes } = predictions;
  const share = accuracy.compute(predictions);
  const area = rocAuc("macro").compute(predictions);
  const matrix = confusionMatrix(predictions);
  return {
    accuracy: share,
    accuracy95: [...wilson95(Math.round(share * count), count)],
    ...macroF1s(matrix),
    macroF195: [...bootstrapMacroF1(matrix, { seed: BOOTSTRAP_SEED })],
    top5: classes > 5 ? topK(5).compute(predictions) : null,
    calibrationError: isProbability ? calibrationError().compute(predictions) : null,
    rocAuc: Number.isNaN(area) ? null : area,
    loss: isProbability ? logLoss.compute(predictions) : null,
    n: count,
    ...(set && { images: imagesDigest(set) }),
  };
}

export interface NamedConfusionMatrix extends ConfusionMatrix {
  readonly names: readonly string[];
}

/** Parses `confusion_matrix.csv`. @throws ThawError that names the file and what is wrong in it. */
export function parseConfusionMatrix(text: string, path: string): NamedConfusionMatrix {
  const [head, ...rows] = parseCsv(text, path);
  const names = (head ?? []).slice(1).map(fromCell);
  const counts = rows.flatMap((row) => row.slice(1).map(Number));
  const isSquare = rows.length === names.length && names.length > 0;
  if (!isSquare || rows.some((row, i) => fromCell(row[0]!) !== names[i])) {
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
    return {
      name: fromCell(name!),
      precision: precision!,
      recall: recall!,
      f1: f1Score!,
      support: support!,
    };
  });
}

/** Parses `calibration.csv`. @throws ThawError that names the file and what is wrong in it. */
export function parseCalibration(text: string, path: string): CalibrationBin[] {
  const [head, ...rows] = parseCsv(text, path);
  if (head?.join() !== CALIBRATION.join()) {
    throw new ThawError(`${path}: its columns are not ${CALIBRATION.join(", ")}`);
  }
  return rows.map((row) => {
    const [lo, hi, count, ...means] = row.map((cell) => (cell === "" ? null : Number(cell)));
    const isEmpty = count === 0;
    const numbers = isEmpty ? [lo, hi] : [lo, hi, count, ...means];
    if (row.length !== CALIBRATION.length || !numbers.every(Number.isFinite)) {
      throw new ThawError(`${path}: the row from ${row[0]} has a value that is no number`);
    }
    const [confidence, accuracy] = isEmpty ? [null, null] : means;
    return { lo: lo!, hi: hi!, count: count!, confidence: confidence!, accuracy: accuracy! };
  });
}

const CALIBRATION = ["lo", "hi", "images", "confidence", "accuracy"];

const PER_CLASS = ["class", "precision", "recall", "f1", "support"];

function perClassRows(rows: readonly ClassRow[]): (string | number)[][] {
  return [PER_CLASS, ...rows.map((r) => [toCell(r.name), r.precision, r.recall, r.f1, r.support])];
}

function matrixRows({ counts }: ConfusionMatrix, names: readonly string[]): (string | number)[][] {
  const row = (t: number) => [...counts.subarray(t * names.length, (t + 1) * names.length)];
  const cells = names.map(toCell);
  return [["true \\ predicted", ...cells], ...cells.map((name, t) => [name, ...row(t)])];
}

function calibrationRows(bins: readonly CalibrationBin[]): (string | number)[][] {
  return [
    CALIBRATION,
    ...bins.map((bin) => [
      ...[bin.lo, bin.hi, bin.count],
      ...[bin.confidence ?? "", bin.accuracy ?? ""],
    ]),
  ];
}

function* predictionRows({
  predictions,
  classes,
  set,
  files = set && imageNames(set),
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
  const names = classes.map(toCell);
  for (let i = 0; i < count; i++) {
    const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
    yield [
      files === undefined ? i : toCell(files[i]!),
      names[labels[i]!]!,
      names[predicted[i]!]!,
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
