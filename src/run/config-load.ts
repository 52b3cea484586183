import { closeSync, openSync, readSync } from "node:fs";
import { extname } from "node:path";
import type { z } from "zod";
import { nearest, UsageError } from "../errors.ts";
import { requireShallow } from "../platform/json.ts";
import { augmentationProblems } from "./augmentation.ts";
import {
  type Applies,
  completeConfig,
  defaultStrategy,
  hasWeights,
  onlyBeside,
  onlyWith,
  type TrainConfig,
  trainConfigSchema,
} from "./config.ts";
import { configFields } from "./config-fields.ts";
import { flagOf } from "./config-flags.ts";
import { parseDocumentText } from "./document-text.ts";
import { modelOfWeights } from "./model-of-weights.ts";
import { recipeFor } from "./recipe.ts";

/** A matrix of all that Thaw can do has a few thousand. */
const MOST_BYTES = 1 << 20;

export type Document = Readonly<Record<string, unknown>>;

/** How a place in the document is called in messages: `run.yaml: augment.crop`, or the flag that gave it. */
export type Label = (path: readonly string[]) => string;

/**
 * The resolved config of a run: a YAML or JSON file, if any, with `overrides` (from flags) over it and defaults under
 * both. A key of the file that only fits its own optimizer or schedule gives way when a flag chooses another.
 * @throws UsageError that names every wrong place, what was given and what is allowed.
 */
export function loadConfig(file: string | undefined, overrides: Document = {}): TrainConfig {
  const document = file === undefined ? {} : readDocument(file);
  return resolveConfig(document, overrides, labelOf(file, overrides));
}

/** A place by the flag that gave it, or by the file. */
export function labelOf(file: string | undefined, overrides: Document): Label {
  const given = (path: readonly string[]) => valueAt(overrides, path) !== undefined;
  // A value of a list has no flag of its own.
  const named = (path: readonly string[]) => path.filter((part) => !/^\d+$/.test(part));
  return (path) =>
    file === undefined || given(path) ? flagOf(named(path)) : `${file}: ${path.join(".")}`;
}

/** The same for a document in memory, which stands as `name` in messages. */
export function parseConfig(document: Document, name = "config"): TrainConfig {
  return resolveConfig(document, {}, (path) => `${name}: ${path.join(".")}`);
}

/** `loadConfig` of a document that has been read. */
export function resolveConfig(written: Document, overrides: Document, label: Label): TrainConfig {
  const given = withModel(merge(written, overrides));
  const { model } = given;
  const document = {
    ...(model !== undefined && { model }),
    ...recipeFor(given),
    ...written,
  };
  const merged = merge(document, overrides);
  const defaults = { ...fixedDefaults, strategy: defaultStrategy(merged), aa: "none" };
  const choice = (by: Applies["by"], layers: readonly Document[]): string => {
    const given = layers.map((layer) => layer[by]).find((value) => value !== undefined);
    return typeof given === "string" ? given : defaults[by];
  };
  const problems: string[] = [];
  for (const [key, { by, to }] of Object.entries(onlyWith)) {
    const own = choice(by, [document]);
    const final = choice(by, [overrides, document]);
    // A misspelt choice is an error of its own; saying that its options do not apply would hide it.
    if (!isChoice(by, own) || !isChoice(by, final)) continue;
    const fits = overrides[key] === undefined ? own : final;
    if (merged[key] !== undefined && !to.includes(fits)) {
      problems.push(`${label([key])}: only for ${by} ${to.join(", ")}, and ${by} is ${fits}`);
    }
    if (!to.includes(final)) delete merged[key];
  }
  const parsed = trainConfigSchema.safeParse(merged);
  if (!parsed.success) {
    problems.unshift(...parsed.error.issues.flatMap((issue) => describe(issue, merged, label)));
  }
  if (!parsed.success || problems.length > 0) throw refused(problems);
  const config = completeConfig(parsed.data);
  const impossible = contradictions(config, label);
  if (impossible.length > 0) throw refused(impossible);
  return config;
}

/** Weights of a run, and published ones, say what they are of. */
function withModel(given: Document): Document {
  const { model, weights, out } = given;
  if (model !== undefined || typeof weights !== "string" || weights === "") return given;
  return { ...given, model: modelOfWeights(weights, typeof out === "string" ? out : undefined) };
}

const fixedDefaults = {
  opt: trainConfigSchema.shape.opt.parse(undefined),
  sched: trainConfigSchema.shape.sched.parse(undefined),
};

function isChoice(by: Applies["by"], value: string): boolean {
  return trainConfigSchema.shape[by].safeParse(value).success;
}

/** A test set out of the training images has no size of its own. */
export function testSizeProblems(
  { testFrom, testSize }: Pick<TrainConfig, "testFrom" | "testSize">,
  label: Label,
): string[] {
  if (testFrom !== "train" || testSize !== undefined) return [];
  return [
    `${label(["testFrom"])}: train holds test images out of the training images; give --test-size, how many`,
  ];
}

/** What no single key shows. */
function contradictions(config: TrainConfig, label: Label): string[] {
  const problems = [...augmentationProblems(config, label), ...testSizeProblems(config, label)];
  const { warmupEpochs = 0, minLr = 0, nesterov, momentum, epochs, lr, classes } = config;
  const { weights, pretrained, strategy, mean, std } = config;
  if (warmupEpochs > 0 && warmupEpochs >= epochs) {
    problems.push(
      `${label(["warmupEpochs"])}: ${warmupEpochs} of ${epochs} epochs leave none to train in`,
    );
  }
  if (minLr > lr) {
    problems.push(`${label(["minLr"])}: ${minLr} is above the learning rate ${lr}`);
  }
  if (nesterov === true && momentum === 0) {
    problems.push(`${label(["nesterov"])}: needs a momentum above 0`);
  }
  if (classes !== undefined && new Set(classes).size !== classes.length) {
    problems.push(`${label(["classes"])}: a class stands twice`);
  }
  for (const [key, { key: beside }] of Object.entries(onlyBeside)) {
    if (config[key as keyof typeof onlyBeside] === undefined || config[beside]) continue;
    problems.push(`${label([key])}: only with ${flagOf([beside])}`);
  }
  if (weights !== undefined && pretrained === true) {
    problems.push(`${label(["pretrained"])}: --weights gives other weights; one of them is used`);
  }
  // Who says so wants to know what a frozen random network is worth.
  if (strategy !== "scratch" && !hasWeights(config) && pretrained !== false) {
    problems.push(
      `${label(["strategy"])}: ${strategy} starts from weights; give --pretrained or --weights`,
    );
  }
  if (strategy === "scratch" && hasWeights(config)) {
    const given = weights === undefined ? "--pretrained" : "--weights";
    problems.push(`${label(["strategy"])}: scratch starts from random weights, not from ${given}`);
  }
  if ((mean === undefined) !== (std === undefined) || mean?.length !== std?.length) {
    problems.push(`${label([mean === undefined ? "std" : "mean"])}: mean and std go together`);
  }
  if (config.track.includes("none") && config.track.length > 1) {
    problems.push(`${label(["track"])}: none stands beside others`);
  }
  if (config.logHistograms !== undefined && !config.track.includes("tensorboard")) {
    problems.push(
      `${label(["logHistograms"])}: only TensorBoard shows histograms, and track is ${config.track.join(", ")}`,
    );
  }
  for (const key of ["scale", "ratio"] as const) {
    const [from, to] = config[key] ?? [0, 0];
    if (from > to) problems.push(`${label([key])}: ${from} to ${to} is no range`);
  }
  problems.push(...pixelRangeProblems(config, label));
  return problems;
}

export function pixelRangeProblems(
  { pixelRange }: Pick<TrainConfig, "pixelRange">,
  label: Label,
): string[] {
  if (pixelRange === undefined || pixelRange[0] < pixelRange[1]) return [];
  const [black, white] = pixelRange;
  return [
    `${label(["pixelRange"])}: ${black} to ${white} is not a range: black must be less than white`,
  ];
}

/** What is wrong at a place, what is allowed there, and what may have been meant. */
export function describe(
  issue: z.core.$ZodIssue,
  document: Document,
  label: Label,
  fields = configFields(),
): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = new Set(
      fields
        .filter((field) => path.every((part, i) => field.path[i] === part))
        .map((field) => field.path[path.length]!),
    );
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      const help = near === undefined ? `known: ${[...known].join(", ")}` : `did you mean ${near}?`;
      return `${label([...path, key])}: unknown key; ${help}`;
    });
  }
  const value = valueAt(document, path);
  if (value === undefined && path.length === 1) {
    return [`${path[0]} is missing; give ${flagOf(path)}, or ${path[0]} in a config file`];
  }
  const field = fields.find((f) => f.path.every((part, i) => path[i] === part));
  const allowed = field?.allowed ?? "a group of keys";
  const near = field?.choices && typeof value === "string" && nearest(value, field.choices);
  const given = shown(value);
  return [
    `${label(path)}: ${given} given; allowed: ${allowed}${near ? `; did you mean ${near}?` : ""}`,
  ];
}

/** A value in a message, in a line. */
function shown(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value, (_, v: unknown) =>
      typeof v === "number" && !Number.isFinite(v) ? String(v) : v,
    );
  } catch {
    return "something nested too deep";
  }
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

const MOST_SHOWN = 200;

export function refused(problems: readonly string[]): UsageError {
  return new UsageError(problems.join("\n"), {
    hint: "`thaw train --help` lists every key as a flag with its default.",
  });
}

/** @throws UsageError for a file that cannot be read, is no list of keys, or is larger or deeper than any config. */
export function readDocument(file: string): Document {
  const text = readBounded(file);
  let value: unknown;
  try {
    value = parseDocumentText(text, extname(file) === ".json" ? "json" : "yaml");
    // YAML's aliases make values that hold themselves.
    requireShallow(value);
  } catch (cause) {
    throw new UsageError(`${file}: ${(cause as Error).message}`, { cause });
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new UsageError(`${file}: a list of \`key: value\` was expected at the top`);
  }
  return value as Document;
}

/** Not by its size, which a pipe or a device does not have. */
function readBounded(file: string): string {
  const bytes = Buffer.alloc(MOST_BYTES + 1);
  let length = 0;
  try {
    const fd = openSync(file, "r");
    try {
      for (let got = -1; got !== 0 && length < bytes.length; length += got) {
        got = readSync(fd, bytes, length, bytes.length - length, null);
      }
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw new UsageError(`${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (length <= MOST_BYTES) return bytes.toString("utf8", 0, length);
  throw new UsageError(`${file}: a config file may have at most ${MOST_BYTES} bytes`);
}

/** `over` laid over `under`; groups are merged key by key. */
function merge(under: Document, over: Document): Record<string, unknown> {
  const result: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = result[key];
    result[key] = isGroup(value) && isGroup(below) ? { ...below, ...value } : value;
  }
  return result;
}

export function isGroup(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function valueAt(document: Document, path: readonly string[]): unknown {
  let value: unknown = document;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Document)[part];
  }
  return value;
}
