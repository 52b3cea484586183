import type { ComparisonRecord } from "../run/comparison.ts";
import type { Matrix } from "../run/matrix.ts";
import { placeMembers } from "../run/member-state.ts";
import type { Chosen } from "./choose-weights.ts";
import { type FoundRates, withKnownRate } from "./find-rates.ts";

/** What is known before anything is exported. */
export function recordOf(
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

/** Names of the runs that a call has placed, and of members whose place others took. */
export function placedNames(
  { members, out }: Matrix,
  rates: FoundRates,
  isStopped: boolean,
): Set<string> {
  // One that was stopped early says nothing of what it had not come to.
  const others = isStopped ? [] : members.flatMap((member) => [member, ...member.standIns]);
  const placed = placeMembers([...rates.members, ...others.map(withKnownRate)], out);
  const failed = rates.failed.map(({ name }) => name);
  return new Set([...placed.flatMap(({ member, name }) => [member.name, name]), ...failed]);
}
