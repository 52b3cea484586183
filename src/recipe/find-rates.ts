import type { DatasetSplits } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { StoppedError } from "../platform/stop.ts";
import { drawLrFind } from "../report/index.ts";
import { canonicalJson } from "../run/config.ts";
import { lrFindFolder, lrFindSubject, readLrFind } from "../run/lr-find.ts";
import { type MatrixMember, type NetworkMember, withRate } from "../run/matrix-member.ts";
import { findLearningRate, type LrFindOptions } from "../train/index.ts";

export interface FindRatesOptions extends LrFindOptions {
  /** Looks for everyone's rate, and leaves those that do not ask for it with their own. */
  readonly forAll: boolean;
  readonly openData: (config: MatrixMember["config"]) => Promise<DatasetSplits>;
  readonly onSearch?: ((name: string) => void) | undefined;
  readonly onRate?:
    | ((name: string, lr: number, folder: string, isKnown: boolean) => void)
    | undefined;
  readonly onFailed?: ((name: string, error: Error) => void) | undefined;
}

export interface FoundRates {
  readonly members: readonly MatrixMember[];
  /** Digests, with their rates, of those whose rate was found. */
  readonly found: ReadonlySet<string>;
  /** Digests before and after. */
  readonly renamed: ReadonlyMap<string, string>;
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
}

/**
 * Gives every member that asks for it the rate of the range test: one for a model, strategy and optimizer, whatever the
 * seed. What was found before, beside the runs, is taken as it is, so that runs are gone on with.
 */
export async function findRates(
  members: readonly MatrixMember[],
  options: FindRatesOptions,
): Promise<FoundRates> {
  const { forAll, openData, onSearch, onRate, onFailed, ...searching } = options;
  const known = new Map<string, number | Error>();
  const told = new Set<Error>();
  const failed: { name: string; error: Error }[] = [];
  const found = new Set<string>();
  const renamed = new Map<string, string>();
  const whole = new Map<string, MatrixMember>();
  for (const member of members) {
    if (options.signal?.aborted) break;
    if (!member.findsRate || member.kind !== "network") {
      whole.set(member.digest, member);
      if (!forAll || member.kind !== "network") continue;
      const advice = await rateOf(member);
      // It only advises: the member is trained all the same.
      if (advice instanceof Error && !(advice instanceof StoppedError) && !told.has(advice)) {
        told.add(advice);
        options.onNote?.(`warning: ${member.name}: ${advice.message}`);
      }
      continue;
    }
    const rate = await rateOf(member);
    if (rate instanceof StoppedError) break;
    try {
      if (rate instanceof Error) throw rate;
      const own = withRate(member, rate);
      found.add(own.digest);
      renamed.set(member.digest, own.digest);
      if (!whole.has(own.digest)) whole.set(own.digest, own);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      failed.push({ name: member.name, error });
      onFailed?.(member.name, error);
    }
  }
  return { members: [...whole.values()], found, renamed, failed };

  async function rateOf(member: NetworkMember): Promise<number | Error> {
    const subject = canonicalJson(lrFindSubject(member.config));
    const rate = known.get(subject) ?? (await search(member));
    known.set(subject, rate);
    return rate;
  }

  async function search({ name, config }: NetworkMember): Promise<number | Error> {
    const before = readLrFind(config);
    if (before !== undefined) {
      onRate?.(name, before.suggestion.lr, lrFindFolder(config), true);
      return before.suggestion.lr;
    }
    onSearch?.(name);
    try {
      const result = await findLearningRate(config, await openData(config), searching);
      await drawLrFind(result.dir, result.found);
      onRate?.(name, result.found.suggestion.lr, result.dir, false);
      return result.found.suggestion.lr;
    } catch (error) {
      if (error instanceof StoppedError) return error;
      const { message } = error instanceof Error ? error : new Error(String(error));
      return new ThawError(`no learning rate was found: ${message}`, {
        cause: error,
        ...(error instanceof ThawError && error.hint !== undefined && { hint: error.hint }),
      });
    }
  }
}

/** With the rate that was found for it before; as it is, where none was, or none that it can have. */
export function withKnownRate(member: MatrixMember): MatrixMember {
  if (!member.findsRate || member.kind !== "network") return member;
  const before = readLrFind(member.config);
  if (before === undefined) return member;
  try {
    return withRate(member, before.suggestion.lr);
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    return member;
  }
}
