import {
  averageOverAll,
  bootstrapMacroF1,
  type ConfusionMatrix,
  classCounts,
  f1Of,
  isPresent,
  macroF1Of,
} from "../metrics/index.ts";
import type { Summary } from "./summary.ts";

type TestResult = NonNullable<Summary["test"]>;
type MacroF1 = Pick<TestResult, "macroF1" | "macroF1AllClasses" | "presentClasses">;

/** Both averages where they are over different classes, else the one. */
export function macroF1s(matrix: ConfusionMatrix): MacroF1 {
  const counts = classCounts(matrix);
  const present = counts.support.filter((_, c) => isPresent(counts, c)).length;
  return {
    macroF1: macroF1Of(matrix),
    ...(present < matrix.classes && {
      macroF1AllClasses: averageOverAll(f1Of, counts),
      presentClasses: present,
    }),
  };
}

/** `0.6000`, or `0.6000 over the 3 classes present, 0.4500 over all classes`. */
export function macroF1Text({ macroF1, macroF1AllClasses, presentClasses }: MacroF1): string {
  if (macroF1AllClasses === undefined) return macroF1.toFixed(4);
  return `${macroF1.toFixed(4)} over the ${presentClasses} classes present, ${macroF1AllClasses.toFixed(4)} over all classes`;
}

/**
 * The result of a record as this version writes it. Older versions averaged over all classes, also over those that occur
 * in neither labels nor predictions, and did not say so; the confusion matrix tells.
 */
export function withBothMacroF1s(test: TestResult, confusion: ConfusionMatrix): TestResult {
  if (test.macroF1AllClasses !== undefined) return test;
  const both = macroF1s(confusion);
  if (both.macroF1AllClasses === undefined) return test;
  const interval = test.macroF195 && {
    macroF195: [...bootstrapMacroF1(confusion, { seed: BOOTSTRAP_SEED })] as [number, number],
  };
  return { ...test, ...both, ...interval };
}

/** The same predictions always have the same interval. */
export const BOOTSTRAP_SEED = 1;
