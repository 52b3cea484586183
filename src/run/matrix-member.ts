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
  hasWeights,
  onlyWith,
  type TrainConfig,
  trainConfigSchema,
} from "./config.ts";
import { type Document, isGroup, type Label, resolveConfig } from "./config-load.ts";
import { defaultRunName, nameWithoutSeed } from "./record.ts";

/** One run of a matrix, not yet trained. `name` says what is its own. */
export type MatrixMember = {
  readonly name: string;
  readonly digest: string;
  /** Its learning rate is to be found by the range test; until then the config has the usual one. */
  readonly findsRate: boolean;
  /** Members to take in its place, in this order, where its published weights cannot be had. */
  readonly standIns: readonly MatrixMember[];
} & (
  | { readonly kind: "network"; readonly config: TrainConfig }
  | { readonly kind: "classical"; readonly config: ClassicalConfig }
);
export type NetworkMember = Extract<MatrixMember, { kind: "network" }>;

/** Keys that are groups of keys: a mapping under them is a value. */
export const groups: ReadonlySet<string> = new Set(["augment", "affine", "classWeights"]);
/** In place of a rate: the range test's. */
export const FIND = "find";

/** What tells one run from another: all of its config but name and place, and what changes no number. */
export function memberDigest(config: TrainConfig | ClassicalConfig): string {
  return configDigest({ ...config, exact: undefined });
}

/** The same of all runs that differ in their seed alone. */
export function digestOverSeeds({ config }: MatrixMember): string {
  return configDigest({ ...config, exact: undefined, seed: undefined });
}

/**
 * The member with the rate that was found for it.
 * @throws UsageError where its schedule ends above that rate.
 */
export function withRate(member: NetworkMember, found: number): NetworkMember {
  // Two digits are more than the test tells.
  const lr = Number(found.toPrecision(2));
  const { minLr = 0 } = member.config;
  if (minLr > lr) {
    throw new UsageError(`${member.name}: minLr ${minLr} is above the rate that was found, ${lr}`, {
      hint: "leave minLr out where lr is find",
    });
  }
  const config = { ...member.config, lr };
  return { ...member, config, digest: memberDigest(config), findsRate: false };
}

export interface Place {
  /** Folder of the runs. */
  readonly out: string;
  /** For messages. */
  readonly file: string;
}

/**
 * A member with those that may stand in for it, from the keys of `base:` and its own.
 * @throws UsageError for keys that make no run, and stand-ins that nothing calls for.
 */
export function makeMember(base: Document, own: Document, place: Place): MatrixMember {
  const { standIn: shared, ...rest } = base;
  const { standIn: given, ...keys } = own;
  const member = makeOne(rest, keys, place);
  if (given === undefined && (shared === undefined || !startsFromWeights(member))) return member;
  if (!startsFromWeights(member)) {
    throw new UsageError(
      `${place.file}: standIn: ${member.name} starts from no published weights, so that nothing can stand in for it\n  in the member ${canonicalJson(own)}`,
      { hint: "leave it out, or give pretrained: true or weights:" },
    );
  }
  const standIns = listOf(given ?? shared, place).map((other) => {
    const has = (key: string) => other[key] !== undefined;
    const saysWeights = has("weights") || has("pretrained") || other["strategy"] === "scratch";
    const kept = (document: Document) =>
      pick(document, (key) => !(saysWeights && ["weights", "pretrained"].includes(key)));
    const what = other["model"] ?? (saysWeights && !isFromWeights(other) ? "random" : "stand-in");
    const named = keys["name"] === undefined ? {} : { name: `${keys["name"]}-${what}` };
    return makeOne(kept(rest), { ...kept(keys), ...named, ...other }, place);
  });
  return { ...member, standIns };
}

function startsFromWeights({ kind, config }: MatrixMember): boolean {
  return kind === "network" && hasWeights(config);
}

function isFromWeights({ weights, pretrained }: Document): boolean {
  return weights !== undefined || pretrained === true;
}

/** Each is a whole member, of every member. */
const MOST_STAND_INS = 20;

function listOf(value: unknown, { file }: Place): Document[] {
  const all: unknown[] = Array.isArray(value) ? value : [value];
  if (all.length > MOST_STAND_INS) {
    throw new UsageError(`${file}: standIn: ${all.length} given; at most ${MOST_STAND_INS}`);
  }
  return all.map((one) => {
    if (typeof one === "object" && one !== null && !Array.isArray(one)) return one as Document;
    throw new UsageError(`${file}: standIn: ${JSON.stringify(one)} given; allowed: keys of a run`, {
      hint: "as standIn: {model: deit_tiny_patch16_224}, or a list of such in the order of preference",
    });
  });
}

function makeOne(base: Document, given: Document, { out, file }: Place): MatrixMember {
  const { name: called, ...own } = given;
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
      const usual = nameOf({ ...config, strategy: classicalStrategy(config) }, pick(own, fits));
      const name = nameGiven(called, config.seed, label) ?? usual;
      const digest = memberDigest(config);
      return { kind: "classical", config, name, digest, findsRate: false, standIns: [] };
    }
    const findsRate = (own["lr"] ?? base["lr"]) === FIND;
    const fits = (key: string, value: unknown) => {
      if (key === "lr" && findsRate) return false;
      return key in classicalConfigSchema.shape
        ? key in trainConfigSchema.shape && !(key === "scale" && typeof value === "string")
        : true;
    };
    const isScratch = own["strategy"] === "scratch";
    const written = pick(base, (key, value) => {
      if (isScratch && (key === "weights" || key === "pretrained")) return false;
      return fits(key, value);
    });
    const kept = { ...pick(own, fits), out };
    const config = resolveConfig(merged(thatApply(written, kept, label), kept), {}, label);
    parseModelName(config.model);
    const usual = nameOf(
      config,
      pick(own, (key, value) => fits(key, value) || key === "lr"),
    );
    const name = nameGiven(called, config.seed, label) ?? usual;
    const digest = findsRate ? configDigest({ ...config, lr: FIND }) : memberDigest(config);
    return { kind: "network", config, name, digest, findsRate, standIns: [] };
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`${cause.message}\n  in the member ${canonicalJson(own)} of ${file}`, {
      cause,
      ...(cause.hint !== undefined && { hint: cause.hint }),
    });
  }
}

/** An entry's own name, of all its seeds. */
function nameGiven(name: unknown, seed: number, label: Label): string | undefined {
  if (name === undefined) return undefined;
  if (!trainConfigSchema.shape.name.safeParse(name).success) {
    throw new UsageError(
      `${label(["name"])}: ${JSON.stringify(name)} given; allowed: letters, digits, dots, dashes and underscores`,
    );
  }
  return `${String(name)}-s${seed}`;
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
export function merged(base: Document, own: Document): Document {
  const inner = [...groups].flatMap((key) => {
    const [below, above] = [base[key], own[key]];
    return isGroup(below) && isGroup(above) ? [[key, { ...below, ...above }]] : [];
  });
  return { ...base, ...own, ...Object.fromEntries(inner) };
}

/** A key of some kind of run; others are mistakes, which the config's own check names. */
function isKnown(key: string): boolean {
  return key in classicalConfigSchema.shape || key in trainConfigSchema.shape;
}

export function pick(document: Document, keep: (key: string, value: unknown) => boolean): Document {
  return Object.fromEntries(Object.entries(document).filter(([key, value]) => keep(key, value)));
}

/** The usual name of a run, with what the matrix sets beside it: `cifar10-resnet18-full-lr0.001-s42`. */
function nameOf(config: Parameters<typeof defaultRunName>[0], own: Document): string {
  const usual = new Set(["data", "model", "strategy", "seed", "features"]);
  const extra = Object.entries(own)
    .filter(([key]) => !usual.has(key))
    .map(([key, value]) => `-${key}${short(value)}`)
    .join("");
  const stem = nameWithoutSeed(defaultRunName(config));
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
