import { homedir } from "node:os";
import { parse, sep } from "node:path";
import { DamagedFileError } from "../data/formats/damaged.ts";
import { ThawError, UsageError } from "../errors.ts";
import { pretrainedReference } from "../models/weights/hub/index.ts";
import type { StandIn } from "../run/comparison.ts";
import { hasWeights, type TrainConfig } from "../run/config.ts";
import type { MatrixMember } from "../run/matrix-member.ts";
import { placeMembers } from "../run/member-state.ts";
import { withKnownRate } from "./find-rates.ts";

export interface Chosen {
  readonly members: readonly MatrixMember[];
  /** Where another is taken, by its digest before its rate is found. */
  readonly standIns: readonly (Omit<StandIn, "run"> & { readonly digest: string })[];
  /** Weights that another would be taken for, whether they could be had or not. */
  readonly wanted: readonly StandIn["wanted"][];
}

/**
 * Takes the first of a member and its stand-ins whose weights can be had. One that has been trained with its own is kept,
 * wherever the weights are today. Where none can be had it stays, and fails by its name when it is trained.
 * @param open As training opens weights.
 */
export async function chooseWeights(
  members: readonly MatrixMember[],
  out: string,
  open: (config: TrainConfig) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<Chosen> {
  const known = new Map<string, Promise<string | undefined>>();
  const obstacle = (config: TrainConfig): Promise<string | undefined> => {
    const key = weightsOf(config) ?? "";
    const asked = known.get(key) ?? tryToOpen(config, open);
    known.set(key, asked);
    return asked;
  };
  // A stand-in may be what another member is anyway.
  const chosen = new Map<string, MatrixMember>();
  const standIns: Chosen["standIns"][number][] = [];
  const wanted: StandIn["wanted"][] = [];
  for (const member of members) {
    const other = await replacement(member);
    // What was not asked for in the end says nothing.
    if (signal?.aborted) break;
    const taken = other?.member ?? member;
    if (!chosen.has(taken.digest)) chosen.set(taken.digest, taken);
    if (other !== undefined) standIns.push({ ...other.told, digest: taken.digest });
  }
  return { members: [...chosen.values()], standIns, wanted };

  async function replacement(member: MatrixMember) {
    if (member.kind !== "network" || member.standIns.length === 0) return undefined;
    const { model, strategy } = member.config;
    const own = { model, strategy, weights: weightsOf(member.config)! };
    wanted.push(own);
    if (isBegun(member, out)) return undefined;
    const reason = await obstacle(member.config);
    const other = reason && (await firstOf(member.standIns, obstacle));
    if (!reason || !other) return undefined;
    return { member: other, told: { wanted: own, reason, standIn: describe(other) } };
  }
}

async function firstOf(
  standIns: readonly MatrixMember[],
  obstacle: (config: TrainConfig) => Promise<string | undefined>,
): Promise<MatrixMember | undefined> {
  for (const other of standIns) {
    if (other.kind !== "network" || !hasWeights(other.config)) return other;
    if ((await obstacle(other.config)) === undefined) return other;
  }
  return undefined;
}

/** Why they cannot be had, in one line; undefined where they can, or where what is wrong is not their absence. */
async function tryToOpen(
  config: TrainConfig,
  open: (config: TrainConfig) => Promise<unknown>,
): Promise<string | undefined> {
  try {
    await open(config);
    return undefined;
  } catch (error) {
    const isAbsence = error instanceof ThawError && !(error instanceof UsageError);
    if (!isAbsence || error instanceof DamagedFileError) return undefined;
    // It stands in a report that others read: whose machine it was is not their business.
    return withoutHome(error.message.split("\n")[0]!);
  }
}

function withoutHome(text: string): string {
  const home = homedir();
  // Of a user without a home it is the root, which is in every path.
  return home.length > parse(home).root.length ? text.replaceAll(home + sep, `~${sep}`) : text;
}

/** By the rate that was found for it, where one was to be found. */
function isBegun(member: MatrixMember, out: string): boolean {
  const whole = withKnownRate(member);
  return !whole.findsRate && placeMembers([whole], out)[0]!.state !== "new";
}

/**
 * What a call that was made before has taken in each member's place, as far as its runs tell: with the rates that were
 * found, and a stand-in that was begun where the member itself was not. Nothing is opened or asked.
 */
export function asBegun(members: readonly MatrixMember[], out: string): MatrixMember[] {
  const own = new Set(members.map((member) => withKnownRate(member).digest));
  const taken = members.map((member) => {
    if (isBegun(member, out)) return withKnownRate(member);
    const other = member.standIns.find((one) => isBegun(one, out));
    const whole = withKnownRate(other ?? member);
    // What is a member of its own says nothing of the one that it might stand in for.
    return other !== undefined && own.has(whole.digest) ? withKnownRate(member) : whole;
  });
  return [...new Map(taken.map((member) => [member.digest, member])).values()];
}

function weightsOf({ weights, pretrained, model }: TrainConfig): string | undefined {
  if (weights !== undefined) return weights;
  if (pretrained !== true) return undefined;
  const reference = pretrainedReference(model);
  return reference.kind === "hub" ? reference.repo : model;
}

function describe({ kind, config }: MatrixMember): StandIn["standIn"] {
  if (kind === "classical") return { model: config.model, strategy: "features", weights: null };
  return { model: config.model, strategy: config.strategy, weights: weightsOf(config) ?? null };
}
