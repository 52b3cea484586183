import { join } from "node:path";
import { ThawError } from "../errors.ts";
import {
  evaluateTogether,
  isEvaluation,
  knownTogether,
  type Member,
  type TogetherOptions,
} from "../evaluate/index.ts";
import { chooseCompute } from "../models/index.ts";
import { StoppedError } from "../platform/stop.ts";
import { evaluationName, type How } from "../run/evaluation.ts";
import { ownerOf } from "../run/matrix.ts";
import type { EvaluatePlan } from "../run/matrix-file.ts";
import type { MatrixMember, NetworkMember } from "../run/matrix-member.ts";
import { type Placed, placeMembers } from "../run/member-state.ts";
import type { MatrixOptions } from "../train/index.ts";
import { withKnownRate } from "./find-rates.ts";

export interface EvaluateRunsOptions {
  readonly openData: MatrixOptions["openData"];
  readonly onEvaluate?: ((name: string) => void) | undefined;
  readonly onEvaluated?: ((name: string, accuracy: number) => void) | undefined;
  readonly onFailed?: ((name: string, error: Error) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  readonly pictures?: TogetherOptions["pictures"] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Evaluated {
  /** Folders of the results. */
  readonly finished: readonly string[];
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
}

/**
 * Judges runs together, on several views of each image or by their last epoch, as `thaw evaluate` does; each result is a
 * record beside the runs. What is there of the same models stays, another evaluation of the name is replaced, and one
 * that fails stops no other.
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
  const placed = plans.length > 0 ? placeMembers(members, out) : [];
  for (const plan of plans) {
    const taken = plan.runs.map((run) => takenFor(run, wanted, placed));
    const names = taken.map((one, i) => one?.name ?? plan.runs[i]!);
    const { ensemble: vote, tta, checkpoint } = plan;
    const how = { vote, tta, checkpoint };
    const settings = { ...how, out, name: plan.name ?? evaluationName(names, how) };
    const dir = join(out, settings.name);
    const isWhole = taken.every((one) => one?.state === "finished");
    try {
      const isKnown =
        isWhole &&
        knownTogether(
          names.map((name) => join(out, name)),
          settings,
        );
      if (!isKnown) {
        // What a stopped call did not come to has not failed.
        if (options.signal?.aborted) continue;
        refuseUnfit(plan.runs, taken);
        await judge(taken as Placed[], settings);
      }
      finished.push(dir);
    } catch (error) {
      if (error instanceof StoppedError) continue;
      // As when members are trained: what one fails in stops no other.
      const own = error instanceof Error ? error : new ThawError(String(error));
      failed.push({ name: settings.name, error: own });
      options.onFailed?.(settings.name, own);
    }
  }
  return { finished, failed };

  async function judge(
    those: readonly Placed[],
    settings: How & { readonly out: string; readonly name: string },
  ): Promise<void> {
    const { onEvaluate, onEvaluated, onNote, pictures, openData, signal } = options;
    onEvaluate?.(settings.name);
    const opened: Member[] = [];
    for (const { member, name } of those) {
      const data = await openData(member.config, join(out, name));
      // `refuseUnfit` has let networks through alone.
      const { config } = member as NetworkMember;
      opened.push({ dir: join(out, name), data, compute: chooseCompute(config) });
    }
    const { result } = await evaluateTogether(opened, {
      ...settings,
      overwrite: isEvaluation(join(out, settings.name)),
      ...(pictures && { pictures }),
      ...(onNote && { onNote }),
      signal,
    });
    onEvaluated?.(settings.name, result.accuracy);
  }
}

/** Where the member of this name stands, or the one that was taken in its place. */
function takenFor(
  run: string,
  wanted: readonly MatrixMember[],
  placed: readonly Placed[],
): Placed | undefined {
  const owner = ownerOf(run, wanted);
  if (owner === undefined) return undefined;
  // Members of one config are one, whatever they are called.
  const candidates = [
    ...owner.standIns.filter(({ name }) => name === run),
    owner,
    ...owner.standIns,
  ].map((member) => withKnownRate(member).digest);
  return candidates
    .flatMap((digest) => placed.find(({ member }) => member.digest === digest) ?? [])
    .at(0);
}

function refuseUnfit(runs: readonly string[], taken: readonly (Placed | undefined)[]): void {
  for (const [i, run] of runs.entries()) {
    const one = taken[i];
    if (one?.state !== "finished") throw new ThawError(`${run} has no finished run`);
    const other = taken.findIndex((before) => before?.name === one.name);
    if (other < i) throw new ThawError(`${runs[other]} and ${run} are one run, ${one.name}`);
    if (one.member.kind !== "network") {
      throw new ThawError(`${one.name} is a classical model, and evaluate: is for networks`);
    }
  }
}
