import { join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import {
  evaluateTogether,
  knownTogether,
  type Member,
  type TogetherOptions,
} from "../evaluate/index.ts";
import { chooseCompute } from "../models/index.ts";
import { evaluationName } from "../run/evaluation.ts";
import type { EvaluatePlan } from "../run/matrix-file.ts";
import type { MatrixMember } from "../run/matrix-member.ts";
import { type Placed, placeMembers } from "../run/member-state.ts";

export interface EvaluateRunsOptions {
  readonly openData: (config: MatrixMember["config"]) => Promise<DatasetSplits>;
  readonly onEvaluate?: ((name: string) => void) | undefined;
  readonly onEvaluated?: ((name: string, accuracy: number) => void) | undefined;
  readonly onFailed?: ((name: string, error: Error) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  readonly pictures?: TogetherOptions["pictures"] | undefined;
  readonly isStopped?: (() => boolean) | undefined;
}

export interface Evaluated {
  /** Folders of the results. */
  readonly finished: readonly string[];
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
}

/**
 * Judges runs together, or on several views of each image, as `thaw evaluate` does; each result is a record beside the runs.
 * One that is there of the same models stays, and one that fails stops no other.
 * @param wanted All members as the recipe has them.
 * @param members Those that were to be trained: some are stand-ins.
 */
export async function evaluateRuns(
  plans: readonly EvaluatePlan[],
  wanted: readonly MatrixMember[],
  members: readonly MatrixMember[],
  out: string,
  options: EvaluateRunsOptions,
): Promise<Evaluated> {
  const finished: string[] = [];
  const failed: { name: string; error: Error }[] = [];
  if (plans.length === 0) return { finished, failed };
  const placed = placeMembers(members, out);
  for (const { runs, ensemble, tta, name: given } of plans) {
    if (options.isStopped?.()) break;
    const taken = runs.map((run) => takenFor(run, wanted, placed));
    const how = { ...(ensemble && { vote: ensemble }), ...(tta && { tta }) };
    const names = taken.map((one, i) => one?.name ?? runs[i]!);
    const name = given ?? evaluationName(names, how);
    try {
      const missing = runs.find((_, i) => taken[i]?.state !== "finished");
      if (missing !== undefined) throw new ThawError(`${missing} has no finished run`);
      const settings = { ...how, out, name };
      const dirs = names.map((run) => join(out, run));
      if (knownTogether(dirs, settings) === undefined) {
        options.onEvaluate?.(name);
        const { result } = await evaluateTogether(await open(taken as Placed[]), {
          ...settings,
          ...(options.pictures && { pictures: options.pictures }),
          ...(options.onNote && { onNote: options.onNote }),
        });
        options.onEvaluated?.(name, result.accuracy);
      }
      finished.push(join(out, name));
    } catch (error) {
      // As when members are trained: what one fails in stops no other.
      const own = error instanceof Error ? error : new ThawError(String(error));
      failed.push({ name, error: own });
      options.onFailed?.(name, own);
    }
  }
  return { finished, failed };

  async function open(those: readonly Placed[]): Promise<Member[]> {
    const opened: Member[] = [];
    for (const { member, name } of those) {
      if (member.kind !== "network") {
        throw new ThawError(`${name} is a classical model, and evaluate: is for networks`);
      }
      const data = await options.openData(member.config);
      opened.push({ dir: join(out, name), data, compute: chooseCompute(member.config) });
    }
    return opened;
  }
}

/** Where the member of this name stands, or the one that was taken in its place. */
function takenFor(
  run: string,
  wanted: readonly MatrixMember[],
  placed: readonly Placed[],
): Placed | undefined {
  const find = (name: string) => placed.find(({ member }) => member.name === name);
  const own = wanted.find(({ name, standIns }) =>
    [name, ...standIns.map((one) => one.name)].includes(run),
  );
  const others = [own, ...(own?.standIns ?? [])].flatMap((member) => member?.name ?? []);
  return [run, ...others].map(find).find((one) => one !== undefined);
}
