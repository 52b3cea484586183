import { basename, extname, join } from "node:path";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { parseModelName } from "../models/index.ts";
import {
  type ClassicalConfig,
  classicalConfigSchema,
  classicalStrategy,
  hasClassicalKey,
  isClassicalModel,
  resolveClassicalConfig,
} from "./classical-config.ts";
import {
  canonicalJson,
  configDigest,
  onlyWith,
  type TrainConfig,
  trainConfigSchema,
} from "./config.ts";
import { type Document, type Label, readDocument, resolveConfig } from "./config-load.ts";
import { defaultRunName } from "./record.ts";

/** One run of a matrix, not yet trained. `name` says what is its own. */
export type MatrixMember = { readonly name: string; readonly digest: string } & (
  | { readonly kind: "network"; readonly config: TrainConfig }
  | { readonly kind: "classical"; readonly config: ClassicalConfig }
);

export interface Matrix {
  readonly title: string | undefined;
  /** Folder of the runs and of the report. */
  readonly out: string;
  readonly members: readonly MatrixMember[];
}

const matrixSchema = z.strictObject({
  title: z.string().min(1).optional(),
  out: z.string().min(1).optional(),
  base: z.record(z.string(), z.unknown()).default({}),
  matrix: z.record(z.string(), z.array(z.unknown()).min(1)).default({}),
});

/** Keys that are groups of keys: a mapping under them is a value. */
const groups = new Set(["augment", "affine"]);
const FIRST_SEED = trainConfigSchema.shape.seed.parse(undefined);

/**
 * Every combination of the lists under `matrix:`, each over `base:`, each a whole config. An entry of a list that is a
 * mapping gives several keys at once. A base key that a member's model, optimizer or strategy does not have is left out of
 * that member; two members of one config are one.
 * @throws UsageError that names the file, the member and what is wrong.
 */
export function loadMatrix(
  file: string,
  given: { readonly out?: string | undefined; readonly seeds?: number | undefined } = {},
): Matrix {
  const parsed = matrixSchema.safeParse(readDocument(file));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${file}: ${path.join(".") || "the document"}: ${message}`,
    );
    throw new UsageError(problems.join("\n"), {
      hint: "a matrix has base: (keys of thaw train) and matrix: (keys with a list of values), and may have title: and out:",
    });
  }
  const { title, base, matrix } = parsed.data;
  const { out: baseOut, name: _name, ...shared } = base;
  const out = given.out ?? parsed.data.out ?? (baseOut as string | undefined) ?? folderOf(file);
  const axes = withSeeds(matrix, shared, given.seeds, file);
  const members = new Map<string, MatrixMember>();
  for (const own of combinations(axes, file)) {
    const member = makeMember(shared, own, out, file);
    if (!members.has(member.digest)) members.set(member.digest, member);
  }
  refuseUnused(shared, [...members.values()], file);
  return { title, out, members: distinctNames([...members.values()]) };
}

/** What tells one run from another: all of its config but name and place, and what changes no number. */
export function memberDigest(config: TrainConfig | ClassicalConfig): string {
  return configDigest({ ...config, exact: undefined });
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
  const unused = Object.keys(base).filter((key) => isMeant(key) && !used.has(key));
  if (unused.length === 0) return;
  throw new UsageError(`${file}: base.${unused[0]}: no member of the matrix has a use for it`);
}

function folderOf(file: string): string {
  return join("runs", basename(file, extname(file)));
}

function withSeeds(
  matrix: Readonly<Record<string, readonly unknown[]>>,
  base: Document,
  seeds: number | undefined,
  file: string,
): [key: string, values: readonly unknown[]][] {
  const axes = Object.entries(matrix);
  if (seeds === undefined) return axes;
  if (matrix["seed"] !== undefined) {
    throw new UsageError(`--seeds ${seeds}: ${file} has matrix.seed; one of them is used`);
  }
  const first = typeof base["seed"] === "number" ? base["seed"] : FIRST_SEED;
  return [...axes, ["seed", Array.from({ length: seeds }, (_, i) => first + i)]];
}

function combinations(
  axes: readonly (readonly [key: string, values: readonly unknown[]])[],
  file: string,
): Document[] {
  return axes.reduce<Document[]>(
    (all, [key, values]) =>
      all.flatMap((before) => values.map((v) => merged(before, entry(key, v, file)))),
    [{}],
  );
}

function entry(key: string, value: unknown, file: string): Document {
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isMapping && !groups.has(key)) return value as Document;
  const [group, inner, ...more] = key.split(".");
  if (more.length > 0) throw new UsageError(`${file}: matrix.${key}: unknown key`);
  return inner === undefined ? { [key]: value } : { [group!]: { [inner]: value } };
}

function makeMember(base: Document, own: Document, out: string, file: string): MatrixMember {
  const model = own["model"] ?? base["model"];
  const label: Label = (path) => `${file}: ${path.join(".")}`;
  try {
    if (isClassicalModel(model)) {
      const fits = (key: string, value: unknown) =>
        isKnown(key)
          ? hasClassicalKey(model, key) && !(key === "scale" && Array.isArray(value))
          : true;
      const document = { ...pick(base, fits), ...pick(own, fits), out };
      const config = resolveClassicalConfig(document, label);
      const name = nameOf({ ...config, strategy: classicalStrategy(config) }, pick(own, fits));
      return { kind: "classical", config, name, digest: memberDigest(config) };
    }
    const fits = (key: string, value: unknown) =>
      key in classicalConfigSchema.shape
        ? key in trainConfigSchema.shape && !(key === "scale" && typeof value === "string")
        : true;
    const isScratch = own["strategy"] === "scratch";
    const written = pick(base, (key, value) => {
      if (isScratch && (key === "weights" || key === "pretrained")) return false;
      return fits(key, value);
    });
    const given = { ...pick(own, fits), out };
    const config = resolveConfig(merged(thatApply(written, given, label), given), {}, label);
    parseModelName(config.model);
    return {
      kind: "network",
      config,
      name: nameOf(config, pick(own, fits)),
      digest: memberDigest(config),
    };
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`${cause.message}\n  in the member ${canonicalJson(own)} of ${file}`, {
      cause,
      ...(cause.hint !== undefined && { hint: cause.hint }),
    });
  }
}

/** Without the base's keys that only other optimizers, schedules, strategies or policies have. */
function thatApply(base: Document, own: Document, label: Label): Document {
  const plain = pick(base, (key) => !(key in onlyWith));
  const chosen = resolveConfig(merged(plain, own), {}, label);
  return pick(base, (key) => {
    const applies = onlyWith[key as keyof typeof onlyWith];
    return applies === undefined || applies.to.includes(chosen[applies.by] ?? "none");
  });
}

/** A member's own keys over the base's; of groups key by key. */
function merged(base: Document, own: Document): Document {
  const inner = [...groups].flatMap((key) => {
    const [below, above] = [base[key], own[key]] as (Document | undefined)[];
    return below === undefined || above === undefined ? [] : [[key, { ...below, ...above }]];
  });
  return { ...base, ...own, ...Object.fromEntries(inner) };
}

/** A key of some kind of run; others are mistakes, which the config's own check names. */
function isKnown(key: string): boolean {
  return key in classicalConfigSchema.shape || key in trainConfigSchema.shape;
}

function pick(document: Document, keep: (key: string, value: unknown) => boolean): Document {
  return Object.fromEntries(Object.entries(document).filter(([key, value]) => keep(key, value)));
}

/** The usual name of a run, with what the matrix sets beside it: `cifar10-resnet18-full-lr0.001-s42`. */
function nameOf(config: Parameters<typeof defaultRunName>[0], own: Document): string {
  const usual = new Set(["data", "model", "strategy", "seed", "features"]);
  const extra = Object.entries(own)
    .filter(([key]) => !usual.has(key))
    .map(([key, value]) => `-${key}${short(value)}`)
    .join("");
  const stem = defaultRunName(config).replace(/-s\d+$/, "");
  const clean = (stem + extra).replaceAll(/[^\w.-]+/g, "_").slice(0, 150);
  return `${clean}-s${config.seed}`;
}

function short(value: unknown): string {
  if (Array.isArray(value)) return value.map(short).join("_");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([key, inner]) => `${key}${short(inner)}`)
    .join("_");
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
