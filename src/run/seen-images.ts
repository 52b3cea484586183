import type { SplitName } from "../data/folders/listing.ts";
import { type RecordedSplit, splitNames } from "../data/recorded.ts";
import { parseWeightsReference } from "../models/weights/hub/index.ts";
import { readRun } from "./read.ts";
import { findRun } from "./record.ts";
import { readSplit } from "./split-file.ts";

/** What tells an image from others: its content, or its place in a built-in data set. Undefined where it is not known. */
export function imageIds(recorded: RecordedSplit, split: SplitName): readonly string[] | undefined {
  switch (recorded.kind) {
    case "files":
      return recorded.splits[split].map(({ sha256 }) => sha256);
    case "rows": {
      const { of, rows } = recorded.splits[split];
      return Array.from(rows, (row) => `${recorded.content} ${of} ${row}`);
    }
    case "given":
      return undefined;
  }
}

/** Of `ids`, how many are of each of a run's splits. An image that is in several counts for the first, training. */
export function countSeen(run: RecordedSplit, ids: readonly string[]): Record<SplitName, number> {
  const splitOf = new Map<string, SplitName>();
  for (const split of splitNames.toReversed()) {
    for (const id of imageIds(run, split) ?? []) splitOf.set(id, split);
  }
  const counts = { train: 0, val: 0, test: 0 };
  for (const id of ids) {
    const split = splitOf.get(id);
    if (split !== undefined) counts[split]++;
  }
  return counts;
}

/** What of a config names another run: the weights it starts from, its teacher, the network behind its features. */
interface Begun {
  readonly weights?: unknown;
  readonly teacher?: unknown;
  readonly features?: unknown;
  readonly out?: unknown;
}

/**
 * The runs that a model has learnt from, directly or by way of another run, by their folders. A run that is not there any
 * more, or is none, is passed over.
 */
export function ancestorsOf(config: Begun, out = "runs"): readonly string[] {
  const found = new Set<string>();
  const visit = ({ weights, teacher, features, out: own = out }: Begun): void => {
    const place = String(own);
    for (const name of [runOfWeights(weights, place), teacher, features]) {
      const dir = typeof name === "string" ? folderOf(name, place) : undefined;
      if (dir === undefined || found.has(dir)) continue;
      found.add(dir);
      visit(readRun(dir).config);
    }
  };
  visit(config);
  return [...found];
}

/** The folder of the run that weights are of. */
export function runOfWeights(reference: unknown, out: string): string | undefined {
  if (typeof reference !== "string") return undefined;
  try {
    const parsed = parseWeightsReference(reference, { out });
    return parsed.kind === "run" ? parsed.path : undefined;
  } catch {
    // Not there: whoever opens the weights says so.
    return undefined;
  }
}

function folderOf(name: string, out: string): string | undefined {
  try {
    return findRun(name, out);
  } catch {
    return undefined;
  }
}

/** A sentence for each run that has learnt from some of these images; they say too much of a model that comes from it. */
export function seenSentences(
  runs: readonly string[],
  ids: readonly string[],
  what: string,
): string[] {
  return runs.flatMap((dir) => {
    const recorded = readSplit(dir);
    if (recorded === undefined) return [];
    const { train, val } = countSeen(recorded, ids);
    if (train + val === 0) return [];
    const parts = [
      ...(train > 0
        ? [`${train} ${train === 1 ? "was a training image" : "were training images"}`]
        : []),
      ...(val > 0
        ? [`${val} ${val === 1 ? "was a validation image" : "were validation images"}`]
        : []),
    ];
    return [
      `warning: of the ${ids.length} ${what}, ${parts.join(" and ")} of ${dir}: the result will be too optimistic`,
    ];
  });
}
