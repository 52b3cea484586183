import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseCsv } from "../data/formats/csv.ts";
import { ThawError } from "../errors.ts";
import { fromCell } from "../run/spreadsheet.ts";

/** What a run's model says of the test images: `predictions.csv` without the probabilities of the other classes. */
export interface Predicted {
  readonly count: number;
  /** [count], names of classes. */
  readonly truth: readonly string[];
  readonly predicted: readonly string[];
  /** [count], the probability of the predicted class. */
  readonly confidence: Float64Array;
  readonly correct: readonly boolean[];
}

/** Undefined where the test set was not predicted. @throws ThawError that names the file and what is wrong in it. */
export function readPredicted(dir: string): Predicted | undefined {
  const path = join(dir, "predictions.csv");
  if (!existsSync(path)) return undefined;
  const [head = [], ...rows] = parseCsv(readFileSync(path, "utf8"), path);
  const column = new Map(head.map((name, i) => [name, i]));
  const confidence = Float64Array.from(rows, (row) => {
    const at = column.get(`p(${fromCell(row[2]!)})`);
    const value = at === undefined ? Number.NaN : Number(row[at]);
    if (value >= 0 && value <= 1) return value;
    throw new ThawError(`${path}: no probability for ${JSON.stringify(row[2])}`);
  });
  const truth = rows.map((row) => fromCell(row[1]!));
  const predicted = rows.map((row) => fromCell(row[2]!));
  const correct = truth.map((name, i) => name === predicted[i]);
  return { count: rows.length, truth, predicted, confidence, correct };
}

/** Test images that the model is wrong about, the surest first. */
export function surestMistakes({ correct, confidence, count }: Predicted, most: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
    .filter((i) => !correct[i])
    .sort((a, b) => confidence[b]! - confidence[a]! || a - b)
    .slice(0, most);
}
