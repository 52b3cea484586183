import { type ComparisonRecord, standInSentences } from "../../run/comparison.ts";
import { bytes, list, percent } from "../format.ts";

/** What a comparison's own record says of the runs of a report: `opening` comes before all that is computed. */
export function comparisonFindings(
  record: ComparisonRecord | undefined,
  names: ReadonlySet<string>,
): { readonly opening: readonly string[]; readonly closing: readonly string[] } {
  if (record === undefined) return { opening: [], closing: [] };
  const here = <T extends { readonly run: string }>(all: readonly T[]) =>
    all.filter(({ run }) => names.has(run));
  return {
    opening: standInSentences(here(record.standIns)),
    closing: [
      ...foundRates(record.rates.filter(({ runs }) => runs.some((run) => names.has(run)))),
      ...record.failed
        .filter(({ run }) => !names.has(run))
        .map(({ run, reason }) => `${run} has no result: ${reason}`),
      ...exported(here(record.exports)),
      ...here(record.notExported).map(
        ({ run, precision, reason }) => `${run} was not exported in ${precision}: ${reason}`,
      ),
    ],
  };
}

function foundRates(rates: ComparisonRecord["rates"]): string[] {
  if (rates.length === 0) return [];
  const named = rates.map(({ model, strategy, opt, lr }) => `${model} (${strategy}, ${opt}) ${lr}`);
  return [
    `Each of these had the learning rate that thaw lr-find suggested for it: ${list(named)}.`,
  ];
}

function exported(exports: ComparisonRecord["exports"]): string[] {
  if (exports.length === 0) return [];
  const named = exports.map(({ run, precision, bytes: size, agreement }) => {
    const how = precision === "fp32" ? "" : ` in ${precision}`;
    const same = agreement === 1 ? "" : `, ${percent(agreement)} get the same class`;
    return `${run}${how} (${bytes(size)}${same})`;
  });
  const opsets = list([...new Set(exports.map(({ opset }) => String(opset)))]);
  return [
    `Exported as ONNX, opset ${opsets}, and held against the model in ONNX Runtime: ${list(named)}.`,
  ];
}
