import type { Run } from "../../run/read.ts";
import { list } from "../format.ts";
import { type Pair, pairsOf } from "../paired.ts";
import { unfairRates } from "../rates.ts";
import { type SeedGroup, seedGroups } from "../seeds.ts";
import { type Finished, isFinished, readJudged, testDifferences } from "../test-sets.ts";
import { comparability } from "./comparable.ts";
import { costs } from "./costs.ts";
import { calibration, confusions, degenerate } from "./mistakes.ts";
import { trainingShape } from "./training.ts";
import { overSeeds, winner } from "./winner.ts";

/** A run that was to be in a report and could not be read. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

/** All that a report says, computed once from the records. */
export interface Analysis {
  /** Best first, runs without test results last. */
  readonly runs: readonly Run[];
  /** Plain sentences, the most important first. */
  readonly findings: readonly string[];
  readonly pairs: readonly Pair[];
  readonly groups: readonly SeedGroup[];
  /** Why the runs cannot be set beside each other; empty where they can. */
  readonly testDifferences: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

/** Best test accuracy first; equal ones by macro-F1, then by name. */
export function ranked(runs: readonly Run[]): Finished[] {
  return runs
    .filter(isFinished)
    .sort(
      (a, b) =>
        b.summary.test.accuracy - a.summary.test.accuracy ||
        b.summary.test.macroF1 - a.summary.test.macroF1 ||
        (a.name < b.name ? -1 : 1),
    );
}

/** Sets runs beside each other: their order, tests between them, and what the numbers say. */
export function analyse(runs: readonly Run[], leftOut: readonly LeftOut[] = []): Analysis {
  const order = ranked(runs);
  const judged = readJudged(order);
  const differences = testDifferences(order, judged);
  const pairs = pairsOf(order, judged);
  const groups = seedGroups(order);
  return {
    runs: [...order, ...runs.filter((run) => !isFinished(run))],
    pairs,
    groups,
    testDifferences: differences,
    leftOut,
    findings: [
      ...comparability(order, differences),
      ...overSeeds(groups),
      ...winner(order, pairs),
      ...unfairRates(order),
      ...degenerate(order),
      ...costs(order),
      ...confusions(order),
      ...calibration(order),
      ...trainingShape(order),
      ...unfinished(runs),
      ...leftOut.map(({ name, reason }) => `Left out: ${name}: ${reason}`),
      ...(order.length > 1
        ? judged.problems.map((problem) => `Without paired tests: ${problem}.`)
        : []),
    ],
  };
}

/** What the numbers say, in plain sentences, most important first. Every number is computed from the records. */
export function findings(runs: readonly Run[]): readonly string[] {
  return analyse(runs).findings;
}

function unfinished(runs: readonly Run[]): string[] {
  const waiting = runs.filter((run) => !isFinished(run));
  const failed = waiting.filter((run) => run.summary?.status === "failed");
  const others = waiting.filter((run) => run.summary?.status !== "failed").map(({ name }) => name);
  return [
    ...failed.map(
      ({ name, summary }) => `${name} failed: ${summary?.reason ?? "no reason given"}.`,
    ),
    ...(others.length > 0 ? [`Not ranked, without test results yet: ${list(others)}.`] : []),
  ];
}
