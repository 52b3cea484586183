import { ThawError } from "../errors.ts";
import {
  averageOverAll,
  averageScore,
  type ClassScore,
  isPresent,
  perClass,
  type ZeroDivision,
} from "./average.ts";
import { type ConfusionMatrix, classCounts } from "./confusion-matrix.ts";
import { f1Of } from "./f1.ts";
import { precisionOf } from "./precision.ts";
import { recallOf } from "./recall.ts";

export interface ClassRow {
  readonly name: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Images of this class. */
  readonly support: number;
}

/** One row a class, in the order of `names`. */
export function classRows(
  matrix: ConfusionMatrix,
  names: readonly string[],
  zeroDivision: ZeroDivision = 0,
): ClassRow[] {
  if (names.length !== matrix.classes) {
    throw new ThawError(`${names.length} class names for a matrix of ${matrix.classes} classes`);
  }
  const counts = classCounts(matrix);
  const precisions = perClass(precisionOf, counts, zeroDivision);
  const recalls = perClass(recallOf, counts, zeroDivision);
  const f1s = perClass(f1Of, counts, zeroDivision);
  return names.map((name, c) => ({
    name,
    precision: precisions[c]!,
    recall: recalls[c]!,
    f1: f1s[c]!,
    support: counts.support[c]!,
  }));
}

/**
 * The text of scikit-learn's `classification_report(y, p, labels=range(C), target_names=names, zero_division=0)`, byte
 * for byte. Where a class occurs in neither labels nor predictions there are two macro averages, and the line "macro avg"
 * becomes two lines that say which classes each is over.
 */
export function classificationReport(
  matrix: ConfusionMatrix,
  names: readonly string[],
  { digits = 2, zeroDivision = 0 }: { digits?: number; zeroDivision?: ZeroDivision } = {},
): string {
  const rows = classRows(matrix, names, zeroDivision);
  const counts = classCounts(matrix);
  const present = names.filter((_, c) => isPresent(counts, c)).length;
  const areAllPresent = present === names.length;
  const macroNames = areAllPresent
    ? (["macro avg"] as const)
    : ([`macro avg, ${present} present`, `macro avg, all ${names.length}`] as const);
  const width = Math.max(...[...names, ...macroNames, "weighted avg"].map(codePoints), digits);
  const total = rows.reduce((sum, row) => sum + row.support, 0);
  const left = (text: string) => " ".repeat(Math.max(0, width - codePoints(text))) + text;
  const number = (value: number) => ` ${fixed(value, digits).padStart(9)}`;
  const line = (name: string, values: readonly number[], support: number) =>
    `${left(name)} ${values.map(number).join("")} ${String(support).padStart(9)}\n`;

  const heads = ["precision", "recall", "f1-score", "support"];
  let text = `${left("")} ${heads.map((head) => ` ${head.padStart(9)}`).join("")}\n\n`;
  for (const row of rows) text += line(row.name, [row.precision, row.recall, row.f1], row.support);
  text += "\n";

  const scores: readonly ClassScore[] = [precisionOf, recallOf, f1Of];
  const averaged = (average: "micro" | "macro" | "weighted") =>
    scores.map((score) => averageScore(score, counts, average, zeroDivision));
  const micro = averaged("micro");
  if (areAllPresent) {
    const blank = " ".repeat(10);
    const support = String(total).padStart(9);
    text += `${left("accuracy")} ${blank}${blank}${number(micro[2]!)} ${support}\n`;
  } else {
    text += line("micro avg", micro, total);
  }
  const [macroName, overAllName] = macroNames;
  text += line(macroName, averaged("macro"), total);
  if (overAllName !== undefined) {
    const overAll = scores.map((score) => averageOverAll(score, counts, zeroDivision));
    text += line(overAllName, overAll, total);
  }
  text += line("weighted avg", averaged("weighted"), total);
  return text;
}

/** Python rounds an exact tie (0.125) to the even digit, `toFixed` upwards; all else both round alike. */
function fixed(value: number, digits: number): string {
  const isTie = Math.abs(value * 2 ** (digits + 1)) % 2 === 1;
  if (!isTie) return value.toFixed(digits);
  const below = Math.floor(value * 10 ** digits);
  return ((below % 2 === 0 ? below : below + 1) / 10 ** digits).toFixed(digits);
}

function codePoints(text: string): number {
  return [...text].length;
}
