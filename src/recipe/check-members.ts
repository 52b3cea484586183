import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { writeDurably } from "../platform/durable.ts";
import { StoppedError } from "../platform/stop.ts";
import { jsonFile } from "../run/json-file.ts";
import { digestOverSeeds, type MatrixMember } from "../run/matrix-member.ts";
import { type Placed, placeMembers } from "../run/member-state.ts";
import { nameWithoutSeed } from "../run/record.ts";
import { checkSanity, type SanityOptions, type SanityReport } from "../train/index.ts";

export interface CheckOptions extends SanityOptions {
  readonly openData: (config: MatrixMember["config"]) => Promise<DatasetSplits>;
  readonly onCheck?: ((name: string) => void) | undefined;
  readonly onChecked?: ((name: string, report: SanityReport) => void) | undefined;
  readonly onFailed?: ((name: string, error: Error) => void) | undefined;
}

export interface Checked {
  readonly members: readonly MatrixMember[];
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
}

/** What of a check is kept in `sanity/<name>.json` beside the runs. */
interface Kept extends SanityReport {
  readonly member: string;
}

/**
 * Looks at every network, once for all its seeds, as `thaw sanity` does, and keeps what was found in `sanity/`. Those that
 * fail are left out. What has passed before, or has been trained, is not looked at again.
 */
export async function checkMembers(
  members: readonly MatrixMember[],
  out: string,
  options: CheckOptions,
): Promise<Checked> {
  const { openData, onCheck, onChecked, onFailed, ...checking } = options;
  const failed: { name: string; error: Error }[] = [];
  const verdicts = new Map<string, Error | undefined>();
  const placed = placeMembers(members, out);
  const fileOf = filesOf(placed);
  for (const { member, name, state } of placed) {
    const digest = digestOverSeeds(member);
    if (options.signal?.aborted) break;
    if (member.kind !== "network" || state !== "new") continue;
    if (verdicts.has(digest)) {
      const error = verdicts.get(digest);
      if (error !== undefined) failed.push({ name, error });
      continue;
    }
    const error = await check(member, digest, fileOf(digest));
    verdicts.set(digest, error);
    if (error === undefined) continue;
    failed.push({ name, error });
    onFailed?.(name, error);
  }
  const names = new Set(failed.map(({ name }) => name));
  return { members: placed.flatMap((p) => (names.has(p.name) ? [] : [p.member])), failed };

  async function check(
    { config }: Extract<MatrixMember, { kind: "network" }>,
    digest: string,
    name: string,
  ): Promise<Error | undefined> {
    const file = join(out, "sanity", `${name}.json`);
    const before = jsonFile(file) as Kept | undefined;
    if (before?.member === digest && before.ok) return undefined;
    onCheck?.(name);
    try {
      const report = await checkSanity(config, await openData(config), checking);
      mkdirSync(join(out, "sanity"), { recursive: true });
      const kept: Kept = { member: digest, ...report };
      writeDurably(file, `${JSON.stringify(kept, null, 2)}\n`);
      onChecked?.(name, report);
      if (report.ok) return undefined;
      const wrong = report.checks.filter(({ status }) => status === "failed");
      const said = wrong.map(({ check, detail }) => `${check}: ${detail}`).join("; ");
      return new ThawError(`its sanity check failed: ${said}`);
    } catch (error) {
      // Nothing was found, and nothing follows.
      if (error instanceof StoppedError) return undefined;
      // As when members are trained: what one fails in stops no other.
      return error instanceof Error ? error : new ThawError(String(error));
    }
  }
}

/** Names of what is kept, without seeds; members whose names differ in nothing else get a piece of their digest. */
function filesOf(placed: readonly Placed[]): (digest: string) => string {
  const names = new Map(
    placed.map(({ member, name }) => [digestOverSeeds(member), nameWithoutSeed(name)]),
  );
  return (digest) => {
    const name = names.get(digest)!;
    const isShared = [...names.values()].filter((other) => other === name).length > 1;
    return isShared ? `${name}-${digest.slice(0, 6)}` : name;
  };
}
