import { homedir } from "node:os";
import { DamagedFileError } from "../data/formats/damaged.ts";
import { ThawError, UsageError } from "../errors.ts";
import { pretrainedReference } from "../models/weights/hub/index.ts";
import type { StandIn } from "../run/comparison.ts";
import { hasWeights, type TrainConfig } from "../run/config.ts";
import { readLrFind } from "../run/lr-find.ts";
import { type MatrixMember, withRate } from "../run/matrix-member.ts";
import { placeMembers } from "../run/member-state.ts";

export interface Chosen {
  readonly members: readonly MatrixMember[];
  /** Where another is taken, by its digest before its rate is found. */
  readonly standIns: readonly (Omit<StandIn, "run"> & { readonly digest: string })[];
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
  for (const member of members) {
    const other = await replacement(member);
    const taken = other?.member ?? member;
    if (!chosen.has(taken.digest)) chosen.set(taken.digest, taken);
    if (other !== undefined) standIns.push({ ...other.told, digest: taken.digest });
  }
  return { members: [...chosen.values()], standIns };

  async function replacement(member: MatrixMember) {
    if (member.kind !== "network" || member.standIns.length === 0) return undefined;
    if (isBegun(member, out)) return undefined;
    const reason = await obstacle(member.config);
    const other = reason && (await firstOf(member.standIns, obstacle));
    if (!reason || !other) return undefined;
    const { model, strategy } = member.config;
    const wanted = { model, strategy, weights: weightsOf(member.config)! };
    return { member: other, told: { wanted, reason, standIn: describe(other) } };
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
    return error.message.split("\n")[0]!.replaceAll(homedir(), "~");
  }
}

/** By the rate that was found for it, where one was to be found. */
function isBegun(member: MatrixMember, out: string): boolean {
  if (member.kind !== "network") return false;
  const found = member.findsRate ? readLrFind(member.config)?.suggestion.lr : undefined;
  if (member.findsRate && found === undefined) return false;
  const whole = found === undefined ? member : withRate(member, found);
  return placeMembers([whole], out)[0]!.state !== "new";
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
