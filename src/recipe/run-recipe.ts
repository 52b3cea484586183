import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { DatasetSplits } from "../data/imageset.ts";
import type { ExportReport } from "../export/index.ts";
import { StoppedError, stopOf } from "../platform/stop.ts";
import { type Comparison, compareRuns } from "../report/index.ts";
import {
  type ComparisonRecord,
  mergeComparisons,
  readComparison,
  standInSentences,
  writeComparison,
} from "../run/comparison.ts";
import type { TrainConfig } from "../run/config.ts";
import type { Matrix } from "../run/matrix.ts";
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
import { chooseWeights } from "./choose-weights.ts";
import { evaluateRuns } from "./evaluate-runs.ts";
import { type Exported, exportRuns } from "./export-runs.ts";
import { findRates } from "./find-rates.ts";
import { prepareData } from "./prepare-data.ts";
import { profileMembers } from "./profile-members.ts";
import { placedNames, recordOf } from "./recipe-record.ts";

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
  onEvaluate?(name: string): void;
  onEvaluated?(name: string, accuracy: number): void;
  onExported?(folder: string, report: ExportReport): void;
  onExportFailed?(name: string, error: Error): void;
  onProfile?(mode: string, models: readonly string[]): void;
  onProfiled?(folder: string, profile: Profile): void;
}

export interface RecipeOptions extends MatrixOptions {
  readonly events?: RecipeEvents;
}

export interface RecipeOutcome extends MatrixOutcome {
  /** As `comparison.json` has it: of this call, and of earlier ones what it did not come to. */
  readonly record: ComparisonRecord;
  /** Folders of what `evaluate:` asks for. */
  readonly evaluated: readonly string[];
  /** What this call could not export. */
  readonly notExported: readonly {
    readonly run: string;
    readonly precision: string;
    readonly error: Error;
  }[];
  /** Undefined where no run is finished. */
  readonly report: Comparison | undefined;
}

/**
 * A matrix with all that stands around it: its data are made, weights that cannot be had are stood in for, learning rates
 * found, members checked and trained, finished runs judged together and exported, models profiled; at the end comes the
 * report. Each part passes over what an earlier call has done. What one member fails in stops no other.
 * @throws UsageError for data that cannot be made or opened.
 */
export async function runRecipe(matrix: Matrix, given: RecipeOptions): Promise<RecipeOutcome> {
  const { events = {}, ...options } = given;
  const { out } = matrix;
  const { places = {}, onNote, onFailed, onWeights } = options;
  const { signal } = options;
  const openData = lastKept(options.openData);
  const openWeights = options.openWeights ?? ((config) => openStartWeights(config, places));
  const threads = getThreads();
  /** A member that sets its own number of threads would leave it to the next. */
  const openAfresh: MatrixOptions["openData"] = async (config, dir): Promise<DatasetSplits> => {
    setThreads(threads);
    emptyCache();
    // A signal is heard between two members at the latest.
    await setImmediate();
    return openData(config, dir);
  };
  const heard = {
    ...(onNote && { onNote }),
    ...(onWeights && { onWeights }),
    ...(signal && { signal }),
  };
  const shared = { openData: openAfresh, openWeights, onFailed, ...heard };

  const earlier = readComparison(out);
  try {
    await prepareData(matrix.prepare, { mirror: places.mirror, onNote, signal, ...events });
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error;
  }
  // Not `openWeights`, which tells where each comes from: training will.
  const open = async (config: TrainConfig) => {
    await setImmediate();
    return signal?.aborted ? undefined : openStartWeights(config, { out, ...places });
  };
  const chosen = await chooseWeights(matrix.members, out, open, signal);
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
  const placed = placedNames(matrix, rates, signal?.aborted ?? false);
  const { wanted } = chosen;
  const keep = (now: ComparisonRecord, isSettled: (run: string) => boolean): ComparisonRecord => {
    const merged = mergeComparisons(earlier, now, { placed, isSettled, wanted });
    const says = Object.values(merged).some((value) => Array.isArray(value) && value.length > 0);
    if (says || !signal?.aborted) writeComparison(out, merged);
    return merged;
  };
  const told = namesOf(before);
  keep(recordOf(out, chosen, rates, before), (run) => told.has(run));
  const early = stopOf(signal);
  const outcome: MatrixOutcome = early
    ? { finished: [], skipped: 0, failed: [], stopped: early }
    : await trainMatrix(checked.members, out, { ...options, openData });
  const { finished, skipped } = outcome;
  const evaluated = await evaluateRuns(matrix.evaluate, matrix.members, checked.members, out, {
    ...{ openData: openAfresh, signal, onNote, onFailed, pictures: options.pictures },
    onEvaluate: events.onEvaluate,
    onEvaluated: events.onEvaluated,
  });
  const failed = [...before, ...outcome.failed, ...evaluated.failed];
  const judged = [...finished, ...evaluated.finished];
  const reached = new Set([...namesOf(failed), ...judged.map((dir) => basename(dir))]);
  const isWhole = !signal?.aborted && matrix.isPart !== true;
  const isSettled = (run: string) =>
    isWhole || reached.has(run) || (!signal?.aborted && placed.has(run));
  const known = recordOf(out, chosen, rates, failed);
  keep(known, isSettled);
  const made: Exported =
    signal?.aborted || matrix.export === false
      ? { exports: [], notExported: [], errors: [] }
      : await exportRuns(checked.members, out, matrix.export, {
          ...{ places, openData: openAfresh, onNote, signal },
          onExported: events.onExported,
          onFailed: events.onExportFailed,
        });
  const { exports, notExported } = made;
  const record = keep({ ...known, exports, notExported }, isSettled);
  if (!signal?.aborted && matrix.profile !== false) {
    const done = placeMembers(checked.members, out).filter(({ state }) => state === "finished");
    const members = done.map(({ member }) => member);
    await profileMembers(members, out, matrix.profile, {
      ...{ openData: openAfresh, ...heard },
      onProfile: events.onProfile,
      onProfiled: events.onProfiled,
    });
  }
  const stopped = outcome.stopped ?? stopOf(signal);
  const report =
    finished.length === 0
      ? undefined
      : // Runs that took hours are reported even where their test sets differ; the page says so.
        await compareRuns({
          ...{ out, runs: judged, force: true },
          ...(matrix.title !== undefined && { title: matrix.title }),
          // Who draws no pictures wants none.
          ...(options.pictures !== undefined && { complete: { openData: openAfresh, onNote } }),
        });
  return {
    ...{ finished, skipped, failed, record, report },
    evaluated: evaluated.finished,
    notExported: notExported.map((one, i) => ({ ...one, error: made.errors[i]! })),
    ...(stopped !== undefined && { stopped }),
  };
}

function namesOf(failed: readonly { readonly name: string }[]): Set<string> {
  return new Set(failed.map(({ name }) => name));
}
