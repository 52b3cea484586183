import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ThawError, UsageError } from "../errors.ts";
import { makeFolder, writeDurably } from "../platform/durable.ts";
import { readComparison } from "../run/comparison.ts";
import { openRun, type Run } from "../run/read.ts";
import { isPartOfRun, listRuns } from "../run/record.ts";
import { type CompleteOptions, completePictures } from "./complete-pictures.ts";
import { writeComparisonPlots } from "./draw-comparison.ts";
import { comparisonFindings } from "./findings/comparison.ts";
import { type Analysis, analyse, type LeftOut } from "./findings/findings.ts";
import { htmlReport } from "./html.ts";
import { markdownReport } from "./markdown.ts";
import { findProfiles, isProfile, profileSections } from "./profiles.ts";

export interface Comparison extends Pick<Analysis, "runs" | "findings" | "pairs" | "groups"> {
  /** Paths of the written files. */
  readonly html: string;
  readonly markdown: string;
  /** What was named and is no run, or a damaged one. */
  readonly leftOut: readonly LeftOut[];
  /** Folders of the profiles that are shown. */
  readonly profiles: readonly string[];
}

export interface CompareOptions {
  /** Folders of runs, or names under `out`; none means all runs of `out`. */
  readonly runs?: readonly string[];
  /**
   * Folders of `thaw profile`, or their `profile.json`s, that are shown as a whole; without any, those that stand among
   * `runs` or beside the runs' folders, with the models that the runs have.
   */
  readonly profiles?: readonly string[];
  /** Folder of the runs. */
  readonly out: string;
  /** Folder that gets `report.html` and `report.md`; default the one that all runs are in, else `out`. */
  readonly into?: string;
  readonly title?: string;
  /** Opens the data of runs whose pictures are missing, which are then drawn; without it they stay missing. */
  readonly complete?: CompleteOptions;
  /** Runs of different test sets or classes are set beside each other, without paired tests between them. */
  readonly force?: boolean;
}

const reportPlace = { elsewhere: "choose another folder with --into" };

/**
 * Sets runs beside each other and writes `report.html`, `report.md` and the pictures of `writeComparisonPlots`. Runs whose
 * files are damaged are left out, which the report says.
 * @throws UsageError where there is no run to compare, or their test sets or classes differ and `force` is not given;
 * ThawError where no run can be read.
 */
export async function compareRuns(options: CompareOptions): Promise<Comparison> {
  const { out, title = "Comparison of image classifiers", force = false } = options;
  const { runs: read, damaged, foreign } = readAll(options);
  const computed = analyse(read, damaged);
  const shared = sharedFolder(read);
  const told = comparisonFindings(
    shared === undefined ? undefined : readComparison(shared),
    new Set(read.map(({ name }) => name)),
  );
  const findings = [...told.opening, ...computed.findings, ...told.closing];
  const analysis: Analysis = { ...computed, findings };
  if (analysis.testDifferences.length > 0 && !force) {
    throw new UsageError(
      `these runs cannot be set beside each other:\n${analysis.testDifferences.slice(0, 10).join("\n")}`,
      {
        hint: "name runs of one test set, or give --force: there are no paired tests between others",
      },
    );
  }
  if (options.complete !== undefined) {
    for (const { dir } of analysis.runs) await completePictures(dir, options.complete);
  }
  const shown = findProfiles({ asked: options.profiles, named: options.runs }, analysis.runs);
  const profiles = profileSections(shown.found);
  const into = options.into ?? sharedFolder(read) ?? out;
  makeFolder(into, reportPlace);
  const html = join(into, "report.html");
  const markdown = join(into, "report.md");
  // The pictures are made on other threads while the page is written.
  const [page] = await Promise.all([
    htmlReport(title, analysis, profiles),
    writeComparisonPlots(title, analysis.runs, into),
  ]);
  writeDurably(html, page, reportPlace);
  writeDurably(markdown, markdownReport(title, analysis, profiles), reportPlace);
  return {
    ...{ html, markdown, ...analysis, profiles: shown.found.map(({ dir }) => dir) },
    leftOut: [...damaged, ...foreign, ...shown.damaged],
  };
}

interface Readings {
  readonly runs: readonly Run[];
  readonly damaged: readonly LeftOut[];
  readonly foreign: readonly LeftOut[];
}

function readAll({ runs: asked, out }: CompareOptions): Readings {
  // What `runs/*` names beside runs: a profile is shown as such.
  const named = [...new Set(asked ?? [])].filter((name) => !isProfile(name));
  const names = named.length > 0 ? named : listRuns(out);
  if (names.length === 0) {
    throw new UsageError(`there are no runs in ${out}`, {
      hint: "Train one first: thaw train --data fashion-mnist --model simple_cnn",
    });
  }
  const runs = new Map<string, Run>();
  const damaged: LeftOut[] = [];
  const foreign: LeftOut[] = [];
  let firstError: unknown;
  for (const name of names) {
    try {
      const run = openRun(name, out);
      runs.set(run.dir, run);
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      const isUnknown = error instanceof UsageError;
      if (isUnknown && !existsSync(name)) throw error;
      firstError ??= error;
      const left = { name: basename(name), reason: error.message };
      if (!isUnknown) damaged.push(left);
      // What `runs/*` names beside runs: an earlier report, results of lr-find.
      else if (!isPartOfRun(name)) foreign.push({ ...left, reason: "it is no run’s folder" });
      else damaged.push({ ...left, reason: "config.json or environment.json is missing" });
    }
  }
  if (runs.size === 0) throw firstError;
  return { runs: [...runs.values()], damaged, foreign };
}

function sharedFolder(runs: readonly Run[]): string | undefined {
  const folders = new Set(runs.map((run) => dirname(resolve(run.dir))));
  return folders.size === 1 ? [...folders][0] : undefined;
}
