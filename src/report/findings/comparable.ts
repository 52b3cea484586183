import { basename } from "node:path";
import { list } from "../format.ts";
import type { Finished } from "../test-sets.ts";

/** What makes a ranking of these runs void, and what was measured under other conditions. */
export function comparability(
  order: readonly Finished[],
  testDifferences: readonly string[],
): string[] {
  const [first, ...rest] = order;
  if (first === undefined) return [];
  const differs = (of: (run: Finished) => unknown) =>
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
  const taught = order.flatMap(({ name, config: { teacher } }) =>
    teacher === undefined ? [] : [`${name} from the answers of ${basename(String(teacher))}`],
  );
  if (taught.length > 0 && order.length > 1) {
    notes.push(
      `Not from the labels alone learned ${list(taught)}: what a teacher knew is part of that accuracy.`,
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
