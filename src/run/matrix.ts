import { basename, extname, join } from "node:path";
import { UsageError } from "../errors.ts";
import { classicalConfigSchema, isClassicalModel } from "./classical-config.ts";
import { trainConfigSchema } from "./config.ts";
import type { Document } from "./config-load.ts";
import { evaluationName } from "./evaluation.ts";
import { type EvaluatePlan, readMatrixFile, type Surroundings } from "./matrix-file.ts";
import { FIND, groups, type MatrixMember, makeMember, merged, pick } from "./matrix-member.ts";
import { nameWithoutSeed } from "./record.ts";

export interface Matrix extends Surroundings {
  readonly title: string | undefined;
  /** Folder of the runs and of the report. */
  readonly out: string;
  readonly members: readonly MatrixMember[];
  /** The file has other members, which are not meant. */
  readonly isPart?: boolean;
}

/** What a recipe keeps beside the runs. */
const KEPT_FOLDERS = ["exports", "lr-find", "profile", "profile-infer", "profile-train", "sanity"];
/** Years of training, whatever the models. */
const MOST_MEMBERS = 10_000;
const FIRST_SEED = trainConfigSchema.shape.seed.parse(undefined);

/**
 * Every combination of the lists under `matrix:`, each over `base:`, each a whole config. An entry of a list that is a
 * mapping gives several keys at once. A base key that a member's model, optimizer or strategy does not have is left out of
 * that member; two members of one config are one. With `quick` it is the file's short form.
 * @throws UsageError that names the file, the member and what is wrong.
 */
export function loadMatrix(
  file: string,
  given: {
    readonly out?: string | undefined;
    readonly seeds?: number | undefined;
    readonly quick?: boolean | undefined;
    /** Names of the members that are meant, or of their stand-ins, without seeds; default all. */
    readonly only?: readonly string[] | undefined;
  } = {},
): Matrix {
  const { base, matrix, over, ...rest } = readMatrixFile(file, given.quick === true);
  const { out: baseOut, name: _name, ...shared } = { ...base, ...over };
  const usual = rest.out ?? (baseOut as string | undefined) ?? folderOf(file);
  const out = given.out ?? (given.quick ? `${usual}-quick` : usual);
  const axes = withSeeds(matrix, { shared, over }, given.seeds, file);
  const members = new Map<string, MatrixMember>();
  for (const keys of combinations(axes, file)) {
    // What the short form says is said for all.
    const own = pick(keys, (key) => !(key in over));
    const member = makeMember(shared, own, { out, file });
    if (!members.has(member.digest)) members.set(member.digest, member);
  }
  const all = distinctNames([...members.values()]);
  refuseUnused(shared, all, file);
  refuseUnknownRuns(rest.evaluate, all, file);
  if (given.only === undefined) return { ...rest, out, members: all };
  const part = chosen(all, given.only, file);
  const isMeant = ({ runs }: EvaluatePlan) =>
    runs.every((run) => part.includes(ownerOf(run, all)!));
  const evaluate = rest.evaluate.filter(isMeant);
  return { ...rest, out, members: part, evaluate, isPart: true };
}

/** The member of this name, or the one that a stand-in of this name may stand in for. */
export function ownerOf(run: string, members: readonly MatrixMember[]): MatrixMember | undefined {
  const isIt = ({ name }: MatrixMember) => name === run;
  return members.find(isIt) ?? members.find(({ standIns }) => standIns.some(isIt));
}

function refuseUnknownRuns(
  evaluate: readonly EvaluatePlan[],
  members: readonly MatrixMember[],
  file: string,
): void {
  const taken = new Set([...KEPT_FOLDERS, ...members.map(({ name }) => name)]);
  for (const [i, { runs, name, ensemble: vote, ...how }] of evaluate.entries()) {
    const place = `${file}: evaluate.${i}`;
    for (const run of runs) {
      const owner = ownerOf(run, members);
      if (owner?.kind === "classical") {
        throw new UsageError(
          `${place}: ${run} is a classical model, and evaluate: is for networks`,
        );
      }
      if (owner !== undefined) continue;
      throw new UsageError(`${place}: there is no member ${JSON.stringify(run)}`, {
        hint: `their runs are ${members.map((one) => one.name).join(", ")}`,
      });
    }
    const own = name ?? evaluationName(runs, { vote, ...how });
    if (taken.has(own)) {
      throw new UsageError(`${place}: the name ${own} is taken`, { hint: "give it another name:" });
    }
    taken.add(own);
  }
}

function chosen(
  members: readonly MatrixMember[],
  only: readonly string[],
  file: string,
): MatrixMember[] {
  const stemsOf = (member: MatrixMember): string[] =>
    [member, ...member.standIns].map(({ name }) => nameWithoutSeed(name));
  const stems = [...new Set(members.flatMap(stemsOf))];
  const unknown = only.find((name) => !stems.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--only: ${file} has no member "${unknown}"`, {
      hint: `it has ${stems.join(", ")}`,
    });
  }
  return members.filter((member) => stemsOf(member).some((stem) => only.includes(stem)));
}

/**
 * A key that is left out of every member was meant for an optimizer or strategy that is not there. Those of networks are
 * nobody's where there are classical models only, and the other way round.
 */
function refuseUnused(base: Document, members: readonly MatrixMember[], file: string): void {
  const used = new Set(members.flatMap(({ config }) => Object.keys(config)));
  const kinds = new Set(members.map(({ kind }) => kind));
  const isMeant = (key: string) =>
    (kinds.has("network") && key in trainConfigSchema.shape) ||
    (kinds.has("classical") && key in classicalConfigSchema.shape);
  if (base["lr"] === FIND && !members.some(({ findsRate }) => findsRate)) {
    throw new UsageError(`${file}: base.lr: ${FIND}: no member of the matrix has a rate to find`, {
      hint: "leave it out: classical models have no learning rate",
    });
  }
  if (base["standIn"] !== undefined && !members.some(({ standIns }) => standIns.length > 0)) {
    throw new UsageError(`${file}: base.standIn: no member starts from published weights`, {
      hint: "leave it out, or give pretrained: true or weights:",
    });
  }
  const unused = Object.keys(base).filter((key) => isMeant(key) && !used.has(key));
  if (unused.length === 0) return;
  throw new UsageError(`${file}: base.${unused[0]}: no member of the matrix has a use for it`);
}

function folderOf(file: string): string {
  return join("runs", basename(file, extname(file)));
}

function withSeeds(
  matrix: Readonly<Record<string, readonly unknown[]>>,
  { shared, over }: { readonly shared: Document; readonly over: Document },
  seeds: number | undefined,
  file: string,
): [key: string, values: readonly unknown[]][] {
  const axes = Object.entries(matrix);
  if (seeds === undefined) return axes;
  if (matrix["seed"] !== undefined) {
    throw new UsageError(`--seeds ${seeds}: ${file} has matrix.seed; one of them is used`);
  }
  if (over["seed"] !== undefined) {
    throw new UsageError(`--seeds ${seeds}: ${file} has quick.base.seed; one of them is used`);
  }
  if (seeds > MOST_MEMBERS) {
    throw new UsageError(`--seeds ${seeds}: at most ${MOST_MEMBERS.toLocaleString("en")}`);
  }
  const first = typeof shared["seed"] === "number" ? shared["seed"] : FIRST_SEED;
  return [...axes, ["seed", Array.from({ length: seeds }, (_, i) => first + i)]];
}

function combinations(
  axes: readonly (readonly [key: string, values: readonly unknown[]])[],
  file: string,
): Document[] {
  // Counted before they are made: lists of a few values multiply to more than the memory holds.
  const count = axes.reduce((product, [, values]) => product * values.length, 1);
  if (count > MOST_MEMBERS) {
    const lists = axes.map(([key, values]) => `${values.length} of ${key}`).join(" × ");
    throw new UsageError(
      `${file}: matrix: ${count.toLocaleString("en")} members (${lists}); at most ${MOST_MEMBERS.toLocaleString("en")}`,
      { hint: "shorten the lists, or write several files" },
    );
  }
  return axes.reduce<Document[]>(
    (all, [key, values]) =>
      all.flatMap((before) => values.map((v) => combined(before, entry(key, v, file)))),
    [{}],
  );
}

/** Names of entries of several lists are joined, those of their stand-ins alike. */
function combined(before: Document, own: Document): Document {
  const joined = (first: unknown, second: unknown): Document => {
    const names = [first, second].filter((name) => name !== undefined);
    return names.length > 0 ? { name: names.join("-") } : {};
  };
  const renamed = (standIn: unknown, nameOf: (name: unknown) => Document): unknown => {
    if (Array.isArray(standIn)) return standIn.map((each) => renamed(each, nameOf));
    // What is none is refused where it is read.
    if (typeof standIn !== "object" || standIn === null) return standIn;
    const { name } = standIn as Document;
    return name === undefined ? standIn : { ...(standIn as Document), ...nameOf(name) };
  };
  const standIn =
    own["standIn"] !== undefined
      ? renamed(own["standIn"], (name) => joined(before["name"], name))
      : before["standIn"] && renamed(before["standIn"], (name) => joined(name, own["name"]));
  return {
    ...merged(before, own),
    ...joined(before["name"], own["name"]),
    ...(standIn !== undefined && { standIn }),
  };
}

function entry(key: string, value: unknown, file: string): Document {
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isMapping && !groups.has(key)) {
    const { model, lr } = value as Document;
    if (lr === FIND && isClassicalModel(model)) {
      throw new UsageError(`${file}: matrix.${key}: lr: ${FIND}: ${model} has no learning rate`, {
        hint: "leave lr out of its entry",
      });
    }
    return value as Document;
  }
  const [group, inner, ...more] = key.split(".");
  if (more.length > 0) throw new UsageError(`${file}: matrix.${key}: unknown key`);
  return inner === undefined ? { [key]: value } : { [group!]: { [inner]: value } };
}

/** Values that differ only in what a name cannot hold get a piece of their digest. */
function distinctNames(members: readonly MatrixMember[]): MatrixMember[] {
  const seen = new Map<string, number>();
  for (const { name } of members) seen.set(name, (seen.get(name) ?? 0) + 1);
  return members.map((member) =>
    seen.get(member.name) === 1
      ? member
      : { ...member, name: `${member.name}-${member.digest.slice(0, 6)}` },
  );
}
