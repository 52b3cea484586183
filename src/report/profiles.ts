import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { type Profile, readProfile } from "../run/profile.ts";
import type { Run } from "../run/read.ts";
import { isPartOfRun } from "../run/record.ts";
import { headLines, profilePictures } from "./draw-profile.ts";
import type { LeftOut } from "./findings/findings.ts";
import type { Drawing } from "./plots/render.ts";
import { profileTables } from "./profile-tables.ts";
import type { PlainTable } from "./table.ts";

/** What `thaw profile` left in a folder. */
export interface FoundProfile {
  readonly dir: string;
  readonly profile: Profile;
}

/** A profile as a part of the comparison. */
export interface ProfileSection {
  readonly title: string;
  /** What it is of, and what a reader of its numbers has to know. */
  readonly facts: readonly string[];
  readonly pictures: readonly Drawing[];
  readonly tables: readonly PlainTable[];
}

const FILE = "profile.json";

/** Is it a folder of `thaw profile`, or its `profile.json`? A run that was profiled is a run. */
export function isProfile(at: string): boolean {
  const dir = folderOf(at);
  return !isPartOfRun(dir) && existsSync(join(dir, FILE));
}

/**
 * The profiles that a comparison shows: those in `asked` and among the `named`; where there is none, those beside the runs.
 * @throws UsageError for one of `asked` that is none, or cannot be read.
 */
export function findProfiles(
  {
    asked = [],
    named = [],
  }: {
    readonly asked?: readonly string[] | undefined;
    readonly named?: readonly string[] | undefined;
  },
  runs: readonly Run[],
): { readonly found: readonly FoundProfile[]; readonly damaged: readonly LeftOut[] } {
  const found = new Map<string, FoundProfile>();
  const damaged: LeftOut[] = [];
  for (const at of [...asked, ...named.filter(isProfile)]) {
    const dir = resolve(folderOf(at));
    const profile = readProfile(dir);
    if (profile !== undefined) found.set(dir, { dir, profile });
    else if (asked.includes(at)) {
      const what = existsSync(join(dir, FILE)) ? `${FILE} cannot be read` : `there is no ${FILE}`;
      throw new UsageError(`${at}: ${what}`, {
        hint: "thaw profile writes one, by default to runs/profile",
      });
    } else damaged.push({ name: basename(dir), reason: `${FILE} cannot be read` });
  }
  return { found: found.size > 0 ? [...found.values()] : profilesBeside(runs), damaged };
}

function folderOf(at: string): string {
  return basename(at) === FILE ? dirname(at) : at;
}

/** Profiles in folders next to the runs', and of each the models that are the runs'. */
function profilesBeside(runs: readonly Run[]): FoundProfile[] {
  const models = new Set(runs.map(({ summary, config }) => summary?.model ?? config["model"]));
  const folders = [...new Set(runs.map(({ dir }) => dirname(resolve(dir))))];
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
      .filter(isProfile)
      .flatMap((dir) => {
        const profile = readProfile(dir);
        const own = profile && ofModels(profile, models);
        return own === undefined || own.models.length === 0 ? [] : [{ dir, profile: own }];
      }),
  );
}

/** The profile without the other models, and without what was noted of them: a note begins with its model's name. */
function ofModels(profile: Profile, wanted: ReadonlySet<unknown>): Profile {
  const { models, notes } = profile;
  const others = models.filter(({ model }) => !wanted.has(model));
  return {
    ...profile,
    models: models.filter(({ model }) => wanted.has(model)),
    notes: notes.filter(
      (note) => !others.some(({ model }) => [":", ","].some((end) => note.startsWith(model + end))),
    ),
  };
}

const OF_MODE = { train: "training", infer: "inference" } as const;

/** What the comparison shows of profiles. Pictures of one page need different ids: they are numbered. */
export function profileSections(found: readonly FoundProfile[]): ProfileSection[] {
  const byMode = new Set(found.map(({ profile }) => profile.mode)).size === found.length;
  const titleOf = ({ dir, profile }: FoundProfile) =>
    byMode ? `Profile of ${OF_MODE[profile.mode]}` : `Profile ${basename(dir)}`;
  return found.map(({ dir, profile }, i) => ({
    title: found.length === 1 ? "Profile" : titleOf({ dir, profile }),
    facts: [...headLines(profile), ...profile.notes],
    pictures: profilePictures(profile).map(({ drawing }) =>
      "id" in drawing ? { ...drawing, id: `profile${i}-${drawing.id}` } : drawing,
    ),
    tables: profileTables(profile),
  }));
}
