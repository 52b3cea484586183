import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { parseModelName } from "../models/index.ts";
import { writeDurably } from "../platform/durable.ts";
import { type InputSize, type ProfileOptions, profileModels } from "../profile/index.ts";
import { writeProfileReport } from "../report/index.ts";
import { canonicalJson } from "../run/config.ts";
import { inputOf, resizingFor } from "../run/input.ts";
import type { ProfilePlan } from "../run/matrix-file.ts";
import type { MatrixMember, NetworkMember } from "../run/matrix-member.ts";
import { type Profile, type ProfiledModel, readProfile } from "../run/profile.ts";
import { trainStep } from "../train/index.ts";

export interface ProfileMembersOptions extends Pick<ProfileOptions, "onNote" | "onStep"> {
  readonly openData: (config: MatrixMember["config"]) => Promise<DatasetSplits>;
  readonly onProfile?: ((mode: string, models: readonly string[]) => void) | undefined;
  readonly onProfiled?: ((folder: string, profile: Profile) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
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
 * into `profile/` beside the runs, the second mode into `profile-<mode>/`. What has been measured in the same batches is not
 * measured again, and what fails stops nothing.
 */
export async function profileMembers(
  members: readonly MatrixMember[],
  out: string,
  plan: ProfilePlan,
  options: ProfileMembersOptions,
): Promise<void> {
  const networks = distinct(members);
  if (networks.length === 0) return;
  for (const [i, mode] of [...new Set(plan.modes)].entries()) {
    if (options.signal?.aborted) return;
    const into = join(out, i === 0 ? "profile" : `profile-${mode}`);
    const found = readProfile(into);
    const before = found?.status === "finished" && found.mode === mode ? found : undefined;
    const missing = networks.filter(
      (member) => !before?.models.some((one) => isMeasured(member, one, plan)),
    );
    if (missing.length === 0) continue;
    options.onProfile?.(
      mode,
      missing.map(({ config }) => config.model),
    );
    const profiles: Profile[] = [];
    for (const group of await grouped(missing, plan, options)) {
      const profile = await attempt(group.models, options, () =>
        measure(group, mode, into, plan, options),
      );
      if (profile !== undefined) profiles.push(profile);
    }
    const all = before === undefined ? profiles : [without(before, profiles), ...profiles];
    if (all.length === 0) continue;
    const whole = joined(all);
    // Also where the last group failed, and wrote what it had over the others.
    writeDurably(join(into, "profile.json"), `${JSON.stringify(whole, null, 2)}\n`);
    if (profiles.length === 0) continue;
    // Of the last group alone: those of single models stand beside it.
    if (all.length > 1) rmSync(join(into, "trace.json"), { force: true });
    await attempt(["profile"], options, () => writeProfileReport(into, whole));
    options.onProfiled?.(into, whole);
  }
}

/** An error is told, and takes nothing from runs that are finished. */
async function attempt<T>(
  what: readonly string[],
  { onNote }: ProfileMembersOptions,
  make: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    onNote?.(`warning: ${what.join(", ")} could not be profiled: ${message}`);
    return undefined;
  }
}

/** By an earlier call, in the same batches for as long. */
function isMeasured({ config }: NetworkMember, one: ProfiledModel, plan: ProfilePlan): boolean {
  const sizes = [...(plan.batchSizes ?? [config.batchSize])].sort((a, b) => a - b);
  if (one.model !== config.model || one.batches.length !== sizes.length) return false;
  if (config.imgSize !== undefined && one.input[1] !== config.imgSize) return false;
  return one.batches.every((batch, i) => {
    if (batch.batchSize !== sizes[i]) return false;
    if (batch.kind !== "measured") return true;
    const { steps, warmup, latency, phases } = batch;
    // The plan's seconds end it before all of its steps are made; of medians the sum is about them.
    const isEnded = steps * (latency.p50 + phases.data) >= 500 * plan.seconds;
    return warmup === plan.warmup && (steps === plan.steps || (steps < plan.steps && isEnded));
  });
}

function distinct(members: readonly MatrixMember[]): NetworkMember[] {
  const networks = members.filter((member) => member.kind === "network");
  return [...new Map(networks.toReversed().map((m) => [m.config.model, m])).values()].reverse();
}

async function grouped(
  networks: readonly NetworkMember[],
  plan: ProfilePlan,
  options: ProfileMembersOptions,
): Promise<Group[]> {
  const groups = new Map<string, Group>();
  for (const { config } of networks) {
    const data = await attempt([config.model], options, () => options.openData(config));
    if (data === undefined) continue;
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
  { onNote, onStep, signal }: ProfileMembersOptions,
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
    ...(signal && { signal }),
    ...(onNote && { onNote }),
    ...(onStep && { onStep }),
  });
}

/** What was measured before, and is not measured again. */
function without(before: Profile, again: readonly Profile[]): Profile {
  const names = new Set(again.flatMap(({ models }) => models.map(({ model }) => model)));
  return {
    ...before,
    models: before.models.filter(({ model }) => !names.has(model)),
    notes: before.notes.filter((note) => !names.has(note.split(/[:,]/)[0]!)),
  };
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
