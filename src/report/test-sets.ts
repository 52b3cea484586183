import { type Judgements, readJudgements } from "../run/judgements.ts";
import type { Run } from "../run/read.ts";
import type { Summary } from "../run/summary.ts";
import { count } from "./format.ts";

/** A run whose test set was predicted: what can be ranked. */
export interface Finished extends Run {
  readonly summary: Summary & { readonly test: NonNullable<Summary["test"]> };
}

export function isFinished(run: Run): run is Finished {
  return run.summary !== undefined && run.summary.test !== null;
}

/** What finished runs said of each image, by run; and why it cannot be used of some. */
export interface Judged {
  readonly of: ReadonlyMap<Run, Judgements>;
  readonly problems: readonly string[];
}

/** Reads the predictions of runs. A file that is damaged, or is not of its run, costs the paired tests alone. */
export function readJudged(runs: readonly Run[]): Judged {
  const of = new Map<Run, Judgements>();
  const problems: string[] = [];
  for (const run of runs.filter(isFinished)) {
    try {
      const said = readJudgements(run.dir, run.summary.classes);
      if (said === undefined) problems.push(`${run.name} has no predictions.csv`);
      else if (isOf(said, run)) of.set(run, said);
      else problems.push(`the predictions.csv of ${run.name} does not give its test accuracy`);
    } catch (error) {
      problems.push(`${run.name}: ${(error as Error).message}`);
    }
  }
  return { of, problems };
}

function isOf({ labels, predicted }: Judgements, { summary }: Finished): boolean {
  const hits = labels.reduce((sum, label, i) => sum + (predicted[i] === label ? 1 : 0), 0);
  const { n, accuracy } = summary.test;
  return labels.length === n && Math.abs(hits / n - accuracy) < 1e-9;
}

/** Why two runs were not tested on the same images; undefined where they were, as far as their records tell. */
export function testDifference(a: Finished, b: Finished, judged: Judged): string | undefined {
  const names = `${a.name} and ${b.name}`;
  const [one, two] = [a.summary, b.summary];
  const missing = [...one.classes, ...two.classes].filter(
    (name) => !(one.classes.includes(name) && two.classes.includes(name)),
  );
  if (missing.length > 0) {
    return `${names} have other classes: ${missing.slice(0, 5).join(", ")}${missing.length > 5 ? ", …" : ""} in one of them only`;
  }
  if (one.test.n !== two.test.n) {
    return `${names} were tested on other images: ${count(one.test.n)} and ${count(two.test.n)}`;
  }
  if (one.test.images !== undefined && two.test.images !== undefined) {
    if (one.test.images === two.test.images) return undefined;
    return `${names} were tested on other images: their digests differ`;
  }
  // Records of older versions: the order of the true classes tells.
  const [first, second] = [judged.of.get(a), judged.of.get(b)];
  if (first === undefined || second === undefined) {
    return one.dataset === two.dataset ? undefined : `${names} were tested on other data`;
  }
  const isSame = first.labels.every(
    (label, i) =>
      one.classes[label] === two.classes[second.labels[i]!] && first.images[i] === second.images[i],
  );
  return isSame ? undefined : `${names} were tested on other images: their true classes differ`;
}

/** Every difference to the first run, a sentence each; empty where all runs can be set beside each other. */
export function testDifferences(runs: readonly Finished[], judged: Judged): string[] {
  const [first, ...rest] = runs;
  return rest.flatMap((run) => testDifference(first!, run, judged) ?? []);
}
