import { type MeanOf, tInterval95 } from "../metrics/index.ts";
import { canonicalJson } from "../run/config.ts";
import type { Run } from "../run/read.ts";
import { nameWithoutSeed } from "../run/record.ts";
import type { Finished } from "./test-sets.ts";

/** Runs that differ in their seed alone. */
export interface SeedGroup {
  /** The runs' common name. */
  readonly name: string;
  readonly runs: readonly Finished[];
  readonly accuracy: MeanOf;
  readonly macroF1: MeanOf;
}

/** Best mean accuracy first; a configuration of one seed is a group of one. */
export function seedGroups(runs: readonly Finished[]): SeedGroup[] {
  const byConfig = new Map<string, Finished[]>();
  for (const run of [...runs].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const key = configuration(run);
    const group = byConfig.get(key) ?? [];
    // A seed that was run twice is no second seed.
    if (group.some(({ summary }) => summary.seed === run.summary.seed)) continue;
    byConfig.set(key, [...group, run]);
  }
  const groups = [...byConfig.values()];
  const names = groups.map(groupName);
  return groups
    .map((group, i) => ({
      // Configurations that differ in what a name cannot hold are told apart by their first run.
      name: names.filter((name) => name === names[i]).length === 1 ? names[i]! : group[0]!.name,
      runs: group,
      accuracy: tInterval95(group.map(({ summary }) => summary.test.accuracy)),
      macroF1: tInterval95(group.map(({ summary }) => summary.test.macroF1)),
    }))
    .sort((a, b) => b.accuracy.mean - a.accuracy.mean || (a.name < b.name ? -1 : 1));
}

export function sameConfiguration(a: Run, b: Run): boolean {
  return a !== b && configuration(a) === configuration(b);
}

/** Difference of two groups' accuracies over the seeds that both have, a pair each; undefined of fewer than two. */
export function seedDifference(a: SeedGroup, b: SeedGroup): MeanOf | undefined {
  const differences = a.runs.flatMap(({ summary }) => {
    const twin = b.runs.find((run) => run.summary.seed === summary.seed);
    return twin === undefined ? [] : [summary.test.accuracy - twin.summary.test.accuracy];
  });
  return differences.length < 2 ? undefined : tInterval95(differences);
}

function configuration({ config }: Run): string {
  const { name: _name, out: _out, seed: _seed, exact: _exact, ...rest } = config;
  return canonicalJson(rest);
}

function groupName([first, ...rest]: readonly Finished[]): string {
  return rest.length === 0 ? first!.name : nameWithoutSeed(first!.name);
}
