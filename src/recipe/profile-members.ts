import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { parseModelName } from "../models/index.ts";
import { type InputSize, type ProfileOptions, profileModels } from "../profile/index.ts";
import { writeProfileReport } from "../report/index.ts";
import { canonicalJson } from "../run/config.ts";
import { writeDurably } from "../run/durable.ts";
import { inputOf, resizingFor } from "../run/input.ts";
import type { ProfilePlan } from "../run/matrix-file.ts";
import type { MatrixMember, NetworkMember } from "../run/matrix-member.ts";
import { type Profile, readProfile } from "../run/profile.ts";
import { trainStep } from "../train/index.ts";

export interface ProfileMembersOptions extends Pick<ProfileOptions, "onNote" | "onStep"> {
  readonly openData: (config: MatrixMember["config"]) => Promise<DatasetSplits>;
  readonly onProfile?: ((mode: string, models: readonly string[]) => void) | undefined;
  readonly onProfiled?: ((folder: string, profile: Profile) => void) | undefined;
  readonly isStopped?: (() => boolean) | undefined;
}

/** What is measured in one go: models that see images of one size, in the same batches. */
interface Group {
  readonly models: readonly string[];
  readonly size: InputSize;
  readonly classes: number;
  readonly batchSizes: readonly number[];
  readonly config: NetworkMember["config"];
}

/**
 * Measures each network of a comparison once, on drawn images of the size that it is trained on, as `thaw profile` does:
 * into `profile/` beside the runs, the second mode into `profile-<mode>/`. What has been measured is not measured again.
 */
export async function profileMembers(
  members: readonly MatrixMember[],
  out: string,
  plan: ProfilePlan,
  options: ProfileMembersOptions,
): Promise<void> {
  const networks = distinct(members);
  if (networks.length === 0) return;
  const models = networks.map(({ config }) => config.model);
  for (const [i, mode] of [...new Set(plan.modes)].entries()) {
    const into = join(out, i === 0 ? "profile" : `profile-${mode}`);
    const before = readProfile(into);
    const isWhole =
      before?.status === "finished" &&
      before.mode === mode &&
      models.every((name) => before.models.some(({ model }) => model === name));
    if (isWhole || options.isStopped?.()) continue;
    options.onProfile?.(mode, models);
    const groups = await grouped(networks, plan, options);
    const profiles: Profile[] = [];
    for (const group of groups) profiles.push(await measure(group, mode, into, plan, options));
    const whole = joined(profiles);
    if (profiles.length > 1) {
      writeDurably(join(into, "profile.json"), `${JSON.stringify(whole, null, 2)}\n`);
      // The last group's alone: those of single models stand beside it.
      rmSync(join(into, "trace.json"), { force: true });
    }
    await writeProfileReport(into, whole);
    options.onProfiled?.(into, whole);
  }
}

function distinct(members: readonly MatrixMember[]): NetworkMember[] {
  const networks = members.filter((member) => member.kind === "network");
  return [...new Map(networks.toReversed().map((m) => [m.config.model, m])).values()].reverse();
}

async function grouped(
  networks: readonly NetworkMember[],
  plan: ProfilePlan,
  { openData }: ProfileMembersOptions,
): Promise<Group[]> {
  const groups = new Map<string, Group>();
  for (const { config } of networks) {
    const data = await openData(config);
    const { train } = data;
    const resizing = resizingFor(train, parseModelName(config.model), undefined, config);
    const { channels, height, width } = inputOf(train, data, resizing);
    const size: InputSize = [channels, height, width];
    const batchSizes = plan.batchSizes ?? [config.batchSize];
    const { precision, device } = config;
    const key = canonicalJson([size, batchSizes, precision, device]);
    const models = [...(groups.get(key)?.models ?? []), config.model];
    groups.set(key, { models, size, classes: train.classes.length, batchSizes, config });
  }
  return [...groups.values()];
}

async function measure(
  { models, size, classes, batchSizes, config }: Group,
  mode: "train" | "infer",
  into: string,
  { warmup, steps, seconds, trace }: ProfilePlan,
  { onNote, onStep, isStopped }: ProfileMembersOptions,
): Promise<Profile> {
  return profileModels({
    models: models.map(parseModelName),
    images: { kind: "drawn", size, classes },
    batchSizes,
    window: { warmup, seconds, timed: steps, traced: trace },
    precision: config.precision,
    device: config.device,
    trainStep: mode === "train" ? trainStep : undefined,
    into,
    ...(isStopped && { stopRequested: isStopped }),
    ...(onNote && { onNote }),
    ...(onStep && { onStep }),
  });
}

function joined(profiles: readonly Profile[]): Profile {
  const [first] = profiles;
  return {
    ...first!,
    status: profiles.every(({ status }) => status === "finished") ? "finished" : "interrupted",
    models: profiles.flatMap(({ models }) => models),
    notes: profiles.flatMap(({ notes }) => notes),
  };
}
