import { setImmediate } from "node:timers/promises";
import type { DatasetSplits } from "../data/imageset.ts";
import type { ExportReport } from "../export/index.ts";
import { type Comparison, compareRuns } from "../report/index.ts";
import { type ComparisonRecord, standInSentences, writeComparison } from "../run/comparison.ts";
import type { Matrix } from "../run/matrix.ts";
import type { MatrixMember } from "../run/matrix-member.ts";
import { placeMembers } from "../run/member-state.ts";
import type { Profile } from "../run/profile.ts";
import { emptyCache, getThreads, setThreads } from "../tensor/index.ts";
import {
  lastKept,
  type MatrixOptions,
  type MatrixOutcome,
  openStartWeights,
  type SanityReport,
  trainMatrix,
} from "../train/index.ts";
import { checkMembers } from "./check-members.ts";
import { type Chosen, chooseWeights } from "./choose-weights.ts";
import { exportRuns } from "./export-runs.ts";
import { type FoundRates, findRates } from "./find-rates.ts";
import { prepareData } from "./prepare-data.ts";
import { profileMembers } from "./profile-members.ts";

/** What a person is told while a recipe runs, beside what training tells. */
export interface RecipeEvents {
  onPrepared?(out: string, images: number, unchanged: boolean): void;
  /** Another member is taken, in a sentence. */
  onStandIn?(sentence: string): void;
  onSearch?(name: string): void;
  onRate?(name: string, lr: number, folder: string, isKnown: boolean): void;
  onRateStep?(step: number, steps: number): void;
  onCheck?(name: string): void;
  /** Images of the batch that are right. */
  onCheckStep?(correct: number, of: number): void;
  onChecked?(name: string, report: SanityReport): void;
  onExported?(folder: string, report: ExportReport): void;
  onExportFailed?(name: string, error: Error): void;
  onProfile?(mode: string, models: readonly string[]): void;
  onProfiled?(folder: string, profile: Profile): void;
}

export interface RecipeOptions extends MatrixOptions {
  readonly events?: RecipeEvents;
}

export interface RecipeOutcome extends MatrixOutcome {
  readonly record: ComparisonRecord;
  /** Undefined where no run is finished. */
  readonly report: Comparison | undefined;
}

/**
 * A matrix with all that stands around it: its data are made, weights that cannot be had are stood in for, learning rates
 * found, members checked and trained, finished runs exported and models profiled; at the end comes the report. Each part
 * passes over what an earlier call has done. What one member fails in stops no other.
 * @throws UsageError for data that cannot be made or opened.
 */
export async function runRecipe(matrix: Matrix, given: RecipeOptions): Promise<RecipeOutcome> {
  const { events = {}, ...options } = given;
  const { out } = matrix;
  const { places = {}, onNote, onFailed, onWeights } = options;
  let stopped: MatrixOutcome["stopped"];
  const isStopped = () => {
    stopped ??= options.stopRequested?.();
    return stopped !== undefined;
  };
  const openData = lastKept(options.openData);
  const openWeights = options.openWeights ?? ((config) => openStartWeights(config, places));
  const threads = getThreads();
  /** A member that sets its own number of threads would leave it to the next. */
  const openAfresh = async (config: MatrixMember["config"]): Promise<DatasetSplits> => {
    setThreads(threads);
    emptyCache();
    // A signal is heard between two members at the latest.
    await setImmediate();
    return openData(config);
  };
  const heard = { ...(onNote && { onNote }), ...(onWeights && { onWeights }) };
  const shared = { openData: openAfresh, openWeights, onFailed, isStopped, ...heard };

  await prepareData(matrix.prepare, { mirror: places.mirror, onNote, ...events });
  // Not `openWeights`, which tells where each comes from: training will.
  const chosen = await chooseWeights(matrix.members, out, (config) =>
    openStartWeights(config, { out, ...places }),
  );
  for (const sentence of standInSentences(chosen.standIns.map((one) => ({ ...one, run: "" })))) {
    events.onStandIn?.(sentence);
  }
  const rates = await findRates(chosen.members, {
    ...shared,
    forAll: matrix.lrFind,
    onSearch: events.onSearch,
    onRate: events.onRate,
    onStep: ({ step, steps }) => events.onRateStep?.(step, steps),
  });
  const checked = matrix.sanity
    ? await checkMembers(rates.members, out, {
        ...shared,
        onCheck: events.onCheck,
        onStep: ({ correct, of }) => events.onCheckStep?.(correct, of),
        onChecked: events.onChecked,
      })
    : { members: rates.members, failed: [] };
  const before = [...rates.failed, ...checked.failed];
  const described = recordOf(out, chosen, rates, before);
  writeComparison(out, described);
  const outcome: MatrixOutcome = isStopped()
    ? { finished: [], skipped: 0, failed: [], stopped: stopped! }
    : await trainMatrix(checked.members, out, { ...options, openData });
  stopped ??= outcome.stopped;
  const failed = [...before, ...outcome.failed];
  let record = { ...recordOf(out, chosen, rates, failed) };
  if (!isStopped() && matrix.export !== false) {
    const made = await exportRuns(checked.members, out, matrix.export, {
      ...{ places, openData: openAfresh, onNote, isStopped },
      onExported: events.onExported,
      onFailed: events.onExportFailed,
    });
    record = { ...record, ...made };
  }
  if (!isStopped() && matrix.profile !== false) {
    await profileMembers(checked.members, out, matrix.profile, {
      ...{ openData: openAfresh, isStopped, ...heard },
      onProfile: events.onProfile,
      onProfiled: events.onProfiled,
    });
  }
  writeComparison(out, record);
  const { finished, skipped } = outcome;
  const report =
    finished.length === 0
      ? undefined
      : // Runs that took hours are reported even where their test sets differ; the page says so.
        await compareRuns({
          ...{ out, runs: finished, force: true },
          ...(matrix.title !== undefined && { title: matrix.title }),
        });
  return { finished, skipped, failed, record, report, ...(stopped && { stopped }) };
}

/** What is known before anything is exported. */
function recordOf(
  out: string,
  { standIns }: Chosen,
  { members, found, renamed }: FoundRates,
  failed: readonly { readonly name: string; readonly error: Error }[],
): ComparisonRecord {
  const placed = placeMembers(members, out);
  const nameOf = new Map(placed.map(({ member, name }) => [member.digest, name]));
  const rates = new Map<string, ComparisonRecord["rates"][number]>();
  for (const { member, name } of placed) {
    if (member.kind !== "network" || !found.has(member.digest)) continue;
    const { model, strategy, opt, lr } = member.config;
    const key = JSON.stringify([model, strategy, opt, lr]);
    const runs = [...(rates.get(key)?.runs ?? []), name];
    rates.set(key, { model, strategy, opt, lr, runs });
  }
  return {
    version: 1,
    standIns: standIns.flatMap(({ digest, ...standIn }) => {
      const run = nameOf.get(renamed.get(digest) ?? digest);
      return run === undefined ? [] : [{ run, ...standIn }];
    }),
    rates: [...rates.values()],
    failed: failed.map(({ name, error }) => ({ run: name, reason: error.message })),
    exports: [],
    notExported: [],
  };
}
