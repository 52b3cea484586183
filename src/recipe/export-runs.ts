import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type ExportReport, exportRun, restoreExport } from "../export/index.ts";
import { StoppedError } from "../platform/stop.ts";
import type { ComparisonRecord } from "../run/comparison.ts";
import { canonicalJson } from "../run/config.ts";
import type { ExportPlan } from "../run/matrix-file.ts";
import { digestOverSeeds, type MatrixMember } from "../run/matrix-member.ts";
import { placeMembers } from "../run/member-state.ts";
import { readRun } from "../run/read.ts";
import type { WeightsPlaces } from "../run/weights.ts";
import type { MatrixOptions } from "../train/index.ts";

export interface ExportRunsOptions {
  readonly places: WeightsPlaces;
  readonly openData: MatrixOptions["openData"];
  readonly onExported?: ((folder: string, report: ExportReport) => void) | undefined;
  readonly onFailed?: ((name: string, error: Error) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Exported extends Pick<ComparisonRecord, "exports" | "notExported"> {
  /** Of those that are not exported, in their order. */
  readonly errors: readonly Error[];
}

/**
 * Exports the finished runs, of several seeds the first, to `exports/<run>/` beside them, with the precision behind the
 * name where it is not fp32. What is there of the same run by the same plan stays, another is made anew; one that fails
 * stops no other.
 */
export async function exportRuns(
  members: readonly MatrixMember[],
  out: string,
  { which, precisions, ...plan }: ExportPlan,
  options: ExportRunsOptions,
): Promise<Exported> {
  const exports: ComparisonRecord["exports"] = [];
  const notExported: ComparisonRecord["notExported"] = [];
  const errors: Error[] = [];
  for (const { member, name } of chosen(members, out, which)) {
    for (const precision of member.kind === "classical" ? (["fp32"] as const) : precisions) {
      if (options.signal?.aborted) return { exports, notExported, errors };
      const to = join(out, "exports", precision === "fp32" ? name : `${name}-${precision}`);
      try {
        const madeOf = digestOf(join(out, name), { ...plan, precision });
        restoreExport(to, options.onNote);
        const report =
          readExport(to, madeOf) ?? (await make(member, name, { to, precision, madeOf }));
        const bytes = report.files.reduce((sum, file) => sum + file.bytes, 0);
        const { opset, parity } = report;
        exports.push({ run: name, precision, opset, bytes, agreement: parity.agreement });
      } catch (error) {
        if (error instanceof StoppedError) return { exports, notExported, errors };
        if (!(error instanceof Error)) throw error;
        // What no form was written for may be no error of Thaw's own kind.
        notExported.push({ run: name, precision, reason: error.message.split("\n")[0]! });
        errors.push(error);
        options.onFailed?.(basename(to), error);
      }
    }
  }
  return { exports, notExported, errors };

  async function make(
    { config }: MatrixMember,
    name: string,
    own: { to: string; precision: ExportPlan["precisions"][number]; madeOf: string },
  ): Promise<ExportReport> {
    const { places, openData, onNote, onExported, signal } = options;
    // What is no export of its own it never replaces.
    const shared = { onNote, signal, places: { out, ...places } };
    const settings = { ...plan, ...own, ...shared, overwrite: true };
    const dir = join(out, name);
    const { folder, report } = await exportRun(dir, await openData(config, dir), settings);
    onExported?.(folder, report);
    return report;
  }
}

/** Of a run as it is now, and how it is to be exported: one that is trained anew has another summary. */
function digestOf(dir: string, plan: Readonly<Record<string, unknown>>): string {
  const files = ["config.json", "summary.json"].map((file) =>
    readFileSync(join(dir, file), "utf8"),
  );
  return createHash("sha256")
    .update([...files, canonicalJson(plan)].join("\n"))
    .digest("hex");
}

/** Of an earlier call; undefined for one of something else, or one that cannot be read. */
function readExport(folder: string, madeOf: string): ExportReport | undefined {
  const file = join(folder, "export.json");
  if (!existsSync(file)) return undefined;
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as ExportReport;
    const isWhole = report.files.every(({ name }) => existsSync(join(folder, name)));
    return report.madeOf === madeOf && isWhole ? report : undefined;
  } catch {
    return undefined;
  }
}

function chosen(members: readonly MatrixMember[], out: string, which: ExportPlan["which"]) {
  const finished = placeMembers(members, out).filter(({ state }) => state === "finished");
  if (which === "all") {
    const first = new Map(
      finished.toReversed().map((placed) => [digestOverSeeds(placed.member), placed]),
    );
    return finished.filter((placed) => first.get(digestOverSeeds(placed.member)) === placed);
  }
  // Not by test images: those then would say too much of what was chosen by them.
  const accuracyOf = (name: string) => {
    try {
      return readRun(join(out, name)).summary?.best?.valAccuracy ?? -1;
    } catch {
      // One with a damaged file can still be the only one; its export says what is wrong.
      return -1;
    }
  };
  const best = finished.reduce<
    { readonly placed: (typeof finished)[number]; accuracy: number } | undefined
  >((before, placed) => {
    const accuracy = accuracyOf(placed.name);
    return before === undefined || accuracy > before.accuracy ? { placed, accuracy } : before;
  }, undefined);
  return best === undefined ? [] : [best.placed];
}
