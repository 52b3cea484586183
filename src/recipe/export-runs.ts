import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { type ExportReport, exportRun } from "../export/index.ts";
import type { ComparisonRecord } from "../run/comparison.ts";
import type { ExportPlan } from "../run/matrix-file.ts";
import { digestOverSeeds, type MatrixMember } from "../run/matrix-member.ts";
import { placeMembers } from "../run/member-state.ts";
import { readRun } from "../run/read.ts";
import type { WeightsPlaces } from "../run/weights.ts";

export interface ExportRunsOptions {
  readonly places: WeightsPlaces;
  readonly openData: (config: MatrixMember["config"]) => Promise<DatasetSplits>;
  readonly onExported?: ((folder: string, report: ExportReport) => void) | undefined;
  readonly onFailed?: ((name: string, error: Error) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  readonly isStopped?: (() => boolean) | undefined;
}

/**
 * Exports the finished runs, of several seeds the first, to `exports/<run>/` beside them, with the precision behind the
 * name where it is not fp32. What is there stays; one that fails stops no other.
 */
export async function exportRuns(
  members: readonly MatrixMember[],
  out: string,
  { which, precisions, ...plan }: ExportPlan,
  options: ExportRunsOptions,
): Promise<Pick<ComparisonRecord, "exports" | "notExported">> {
  const exports: ComparisonRecord["exports"] = [];
  const notExported: ComparisonRecord["notExported"] = [];
  for (const { member, name } of chosen(members, out, which)) {
    for (const precision of member.kind === "classical" ? (["fp32"] as const) : precisions) {
      if (options.isStopped?.()) return { exports, notExported };
      const to = join(out, "exports", precision === "fp32" ? name : `${name}-${precision}`);
      try {
        const report = readExport(to) ?? (await make(member, name, to, precision));
        const bytes = report.files.reduce((sum, file) => sum + file.bytes, 0);
        const { opset, parity } = report;
        exports.push({ run: name, precision, opset, bytes, agreement: parity.agreement });
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        // What no form was written for may be no error of Thaw's own kind.
        notExported.push({ run: name, precision, reason: error.message.split("\n")[0]! });
        options.onFailed?.(basename(to), error);
      }
    }
  }
  return { exports, notExported };

  async function make(
    { config }: MatrixMember,
    name: string,
    to: string,
    precision: ExportPlan["precisions"][number],
  ): Promise<ExportReport> {
    const { places, openData, onNote, onExported } = options;
    const settings = { ...plan, to, precision, onNote, places: { out, ...places } };
    const { folder, report } = await exportRun(join(out, name), await openData(config), settings);
    onExported?.(folder, report);
    return report;
  }
}

/** Of an earlier call. */
function readExport(folder: string): ExportReport | undefined {
  const file = join(folder, "export.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ExportReport) : undefined;
}

function chosen(members: readonly MatrixMember[], out: string, which: ExportPlan["which"]) {
  const finished = placeMembers(members, out).filter(({ state }) => state === "finished");
  const first = new Map(
    finished.toReversed().map((placed) => [digestOverSeeds(placed.member), placed]),
  );
  const all = finished.filter((placed) => first.get(digestOverSeeds(placed.member)) === placed);
  if (which === "all") return all;
  const accuracyOf = (name: string) => readRun(join(out, name)).summary?.test?.accuracy ?? 0;
  const best = all.reduce<{ readonly placed: (typeof all)[number]; accuracy: number } | undefined>(
    (before, placed) => {
      const accuracy = accuracyOf(placed.name);
      return before === undefined || accuracy > before.accuracy ? { placed, accuracy } : before;
    },
    undefined,
  );
  return best === undefined ? [] : [best.placed];
}
