import { basename } from "node:path";
import { countOf } from "../../data/folders/not-classes.ts";
import { evaluationIn } from "../../run/evaluation.ts";
import { list } from "../format.ts";
import type { Finished } from "../test-sets.ts";

/** What makes a ranking of these runs void, and what was measured under other conditions. */
export function comparability(
  order: readonly Finished[],
  testDifferences: readonly string[],
): string[] {
  // What only judges other runs says nothing of how anything was trained.
  const [first, ...rest] = order.filter(({ config }) => evaluationIn(config) === undefined);
  const differs = (of: (run: Finished) => unknown) =>
    first !== undefined &&
    rest.some((run) => JSON.stringify(of(run)) !== JSON.stringify(of(first)));
  const notes: string[] = [];
  if (testDifferences.length > 0) {
    const shown = testDifferences.slice(0, 3).join("; ");
    const more = testDifferences.length > 3 ? `; and ${testDifferences.length - 3} more` : "";
    notes.push(
      `Careful: these runs were not tested on the same images, so their accuracies cannot be set beside each other, and no paired test was made between them. ${shown}${more}.`,
    );
  } else if (
    differs((run) => [run.summary.dataset, run.config["trainSize"], run.config["perClass"]])
  ) {
    notes.push(
      "The test images are the same, but the runs did not train on as many images of one source.",
    );
  }
  notes.push(...order.flatMap(incomplete));
  const taught = new Map<string, string[]>();
  for (const run of order) {
    const teachers = list(teachersOf(run, order));
    if (teachers !== "") taught.set(teachers, [...(taught.get(teachers) ?? []), run.name]);
  }
  if (taught.size > 0 && order.length > 1) {
    const said = [...taught].map(([by, names]) => `${list(names)} from the answers of ${by}`);
    notes.push(
      `Not from the labels alone learned ${list(said)}: what a teacher knew is part of that accuracy.`,
    );
  }
  if (new Set(order.flatMap(({ summary }) => summary.latencyOn ?? [])).size > 1) {
    notes.push(
      "Latencies were measured on different machines, thread counts or precisions and do not compare.",
    );
  }
  if (differs((run) => [run.environment["cpu"], run.environment["threads"], run.summary.device])) {
    notes.push("Times were measured on different machines or thread counts and do not compare.");
  }
  return notes;
}

/** Which images of its data a run did without, so that nobody takes its figures for those of all. */
function incomplete({ name, summary: { leftOut, unusable } }: Finished): string[] {
  const notes: string[] = [];
  if (leftOut !== undefined) {
    const { train, val, test } = leftOut;
    const parts = list([`${train} training`, `${val} validation`, `${test} test`]);
    notes.push(
      `${name} continued without ${parts} images that were missing or had changed: its split.json lists them.`,
    );
  }
  if (unusable !== undefined) {
    notes.push(
      `${name} left out ${countOf(unusable)} that could not be decoded; see its environment.json.`,
    );
  }
  return notes;
}

/** Names of the runs that a run learned from, of an evaluation those of its members. */
function teachersOf({ config }: Finished, order: readonly Finished[]): string[] {
  if (config["teacher"] !== undefined) return [basename(String(config["teacher"]))];
  const judged = evaluationIn(config)?.members.map((dir) => basename(dir)) ?? [];
  const members = order.filter(({ name }) => judged.includes(name));
  return [...new Set(members.flatMap((member) => teachersOf(member, order)))];
}
