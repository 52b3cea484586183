import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { writeDurably } from "../run/durable.ts";
import { openRun, type Run } from "../run/read.ts";
import { listRuns } from "../run/record.ts";
import { writeComparisonPlots } from "./draw-comparison.ts";
import { findings, isFinished, ranked } from "./findings.ts";
import { htmlReport } from "./html.ts";
import { markdownReport } from "./markdown.ts";

export interface Comparison {
  /** Paths of the written files. */
  readonly html: string;
  readonly markdown: string;
  /** Best first, runs without test results last. */
  readonly runs: readonly Run[];
  readonly findings: readonly string[];
}

export interface CompareOptions {
  /** Folders of runs, or names under `out`; none means all runs of `out`. */
  readonly runs?: readonly string[];
  /** Folder of the runs. */
  readonly out: string;
  /** Folder that gets `report.html` and `report.md`; default `out`. */
  readonly into?: string;
  readonly title?: string;
}

/**
 * Sets runs beside each other and writes `report.html`, `report.md` and the pictures of `writeComparisonPlots`.
 * @throws UsageError where there is no run to compare; ThawError where a run's file is missing or damaged.
 */
export async function compareRuns(options: CompareOptions): Promise<Comparison> {
  const { out, into = out, title = "Comparison of image classifiers" } = options;
  const names = options.runs?.length ? [...new Set(options.runs)] : listRuns(out);
  if (names.length === 0) {
    throw new UsageError(`there are no runs in ${out}`, {
      hint: "Train one first: thaw train --data fashion-mnist --model simple_cnn",
    });
  }
  const read = names.map((name) => openRun(name, out));
  const runs = [...ranked(read), ...read.filter((run) => !isFinished(run))];
  mkdirSync(into, { recursive: true });
  const html = join(into, "report.html");
  const markdown = join(into, "report.md");
  writeDurably(html, await htmlReport(title, runs));
  writeDurably(markdown, markdownReport(title, runs));
  await writeComparisonPlots(title, runs, into);
  return { html, markdown, runs, findings: findings(runs) };
}
