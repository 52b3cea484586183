import { z } from "zod";
import { nearest, UsageError } from "../errors.ts";
import { trainConfigSchema } from "./config.ts";
import { configFields } from "./config-fields.ts";
import { flagOf } from "./config-flags.ts";
import {
  type Document,
  describe,
  type Label,
  labelOf,
  pixelRangeProblems,
  readDocument,
  refused,
  testSizeProblems,
} from "./config-load.ts";

/** Models that are not networks, and what they are called. */
export const classicalModels = {
  logreg: "logistic regression",
  linear_svc: "linear support vector machine",
  knn: "k nearest neighbours",
} as const;
export type ClassicalModel = keyof typeof classicalModels;

export function isClassicalModel(name: unknown): name is ClassicalModel {
  return typeof name === "string" && Object.hasOwn(classicalModels, name);
}

const shared = trainConfigSchema.pick({
  data: true,
  pathColumn: true,
  labelColumn: true,
  splitColumn: true,
  imageFolder: true,
  classes: true,
  perClass: true,
  trainSize: true,
  valSize: true,
  testSize: true,
  testFrom: true,
  onBadImage: true,
  pixelRange: true,
  imgSize: true,
  cropPct: true,
  interpolation: true,
  precision: true,
  device: true,
  threads: true,
  seed: true,
  name: true,
  out: true,
  track: true,
});
const positive = () => z.number().gt(0);

/** A run of a classical model as one document; what only some models have is checked by `onlyFor`. */
export const classicalConfigSchema = z.strictObject({
  ...shared.shape,
  model: z
    .enum(Object.keys(classicalModels) as [ClassicalModel, ...ClassicalModel[]])
    .describe("name of the model"),
  features: z
    .string()
    .min(1)
    .default("pixels")
    .describe(
      "what a classical model sees: pixels, or the embeddings of a run or a published model",
    ),
  scale: z
    .enum(["none", "standard", "minmax"])
    .default("none")
    .describe("how a classical model's features are scaled, by the training images"),
  C: positive()
    .optional()
    .describe("inverse strength of a linear model's regularisation; default 1"),
  tol: positive()
    .optional()
    .describe("a linear model's largest gradient at the end; default 0.0001"),
  maxIter: z.int().min(1).optional().describe("a linear model's iterations at most; default 1000"),
  nNeighbors: z.int().min(1).optional().describe("neighbours that vote; default 5"),
  vote: z.enum(["uniform", "distance"]).optional().describe("weight of a neighbour's vote"),
  metric: z.enum(["euclidean", "cosine"]).optional().describe("how near a neighbour is"),
  grid: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("try these, as C=0.1,1,3 or nNeighbors=1,5,vote=uniform,distance"),
  cv: z.int().min(2).optional().describe("folds that the grid is judged by; default 5"),
  scoring: z.string().min(1).optional().describe("what the grid is judged by; default accuracy"),
});
export type ClassicalConfig = z.output<typeof classicalConfigSchema> & {
  readonly model: ClassicalModel;
};

const linear = ["logreg", "linear_svc"];
const onlyFor: Readonly<Record<string, readonly string[]>> = {
  C: linear,
  tol: linear,
  maxIter: linear,
  nNeighbors: ["knn"],
  vote: ["knn"],
  metric: ["knn"],
};

/** The values of a classical config that a network's does not have, or has for something else. */
export const classicalFields = () =>
  configFields(classicalConfigSchema).filter(
    ({ path }) => !(path[0]! in shared.shape) && path[0] !== "model",
  );

/**
 * The resolved config of a classical run, as `loadConfig` resolves a network's.
 * @throws UsageError that names every wrong place, what was given and what is allowed.
 */
export function loadClassicalConfig(
  file: string | undefined,
  overrides: Document = {},
): ClassicalConfig {
  const document = file === undefined ? {} : readDocument(file);
  return resolveClassicalConfig({ ...document, ...overrides }, labelOf(file, overrides));
}

/** The same for a document in memory. */
export function parseClassicalConfig(document: Document): ClassicalConfig {
  return resolveClassicalConfig(document, (path) => `config: ${path.join(".")}`);
}

/**
 * Images that are held out for validation: a classical model chooses by folds of the training images, and has none unless
 * its config says so.
 */
export function valSizeOf(config: { readonly valSize?: number | undefined }): number | undefined {
  return config.valSize ?? ("features" in config ? 0 : undefined);
}

/** Does a classical model have a key of this name? */
export function hasClassicalKey(model: ClassicalModel, key: string): boolean {
  return key in classicalConfigSchema.shape && (onlyFor[key]?.includes(model) ?? true);
}

/** What stands for a strategy in names and tables: the features, and how they are scaled. */
export function classicalStrategy({ features, scale }: ClassicalConfig): string {
  const from = features.split(/[/\\]/).filter(Boolean).at(-1) ?? features;
  return scale === "none" ? from : `${from}-${scale}`;
}

/** `loadClassicalConfig` of a document that has been read. */
export function resolveClassicalConfig(document: Document, label: Label): ClassicalConfig {
  const parsed = classicalConfigSchema.safeParse(document);
  if (!parsed.success) {
    const fields = configFields(classicalConfigSchema);
    throw refused(parsed.error.issues.flatMap((i) => describe(i, document, label, fields)));
  }
  const { data: config } = parsed;
  const problems = Object.entries(onlyFor)
    .filter(([key, models]) => document[key] !== undefined && !models.includes(config.model))
    .map(
      ([key, models]) =>
        `${label([key])}: only for ${models.join(", ")}, and the model is ${config.model}`,
    );
  problems.push(...testSizeProblems(config, label), ...pixelRangeProblems(config, label));
  for (const key of ["cv", "scoring"] as const) {
    if (config[key] !== undefined && config.grid === undefined) {
      problems.push(`${label([key])}: goes with a grid, and there is none`);
    }
  }
  if (config.track.includes("none") && config.track.length > 1) {
    problems.push(`${label(["track"])}: none stands beside others`);
  }
  if (problems.length > 0) throw refused(problems);
  if (config.grid !== undefined) parseGrid(config.model, config.grid);
  return config;
}

/**
 * Refuses what a new run would not use. Runs that were trained so are read all the same.
 * @throws UsageError that names the flags.
 */
export function refuseUnusedClassical(config: ClassicalConfig): void {
  const problems: string[] = [];
  if (config.features === "pixels" && ["bf16", "fp16"].includes(config.precision)) {
    problems.push(
      `${flagOf(["precision"])}: ${config.precision} is for the network behind --features; on pixels a classical model is fitted in fp32`,
    );
  }
  const varied = Object.keys(config.grid ? parseGrid(config.model, config.grid) : {});
  for (const key of varied) {
    if (config[key as keyof ClassicalConfig] === undefined) continue;
    problems.push(`${flagOf([key])}: the grid already searches ${key}`);
  }
  if (problems.length > 0) throw refused(problems);
}

/**
 * `["C=0.1", "1", "3"]`, as the commas of a flag leave it → `{C: [0.1, 1, 3]}`.
 * @throws UsageError for a parameter that the model does not have, or a value that it cannot be.
 */
export function parseGrid(
  model: ClassicalModel,
  parts: readonly string[],
): Record<string, (string | number)[]> {
  const known = Object.keys(onlyFor).filter((key) => onlyFor[key]!.includes(model));
  const grid: Record<string, (string | number)[]> = {};
  let key: string | undefined;
  for (const part of parts.flatMap((text) => text.split(","))) {
    const [first, second] = part.split("=", 2) as [string, string | undefined];
    if (second !== undefined) key = first.trim();
    if (key === undefined) {
      throw new UsageError(`--grid: ${JSON.stringify(part)} has no parameter before it`, {
        hint: "as --grid C=0.1,1,3",
      });
    }
    if (!known.includes(key)) {
      const near = nearest(key, known);
      throw new UsageError(`--grid: ${model} has no parameter ${JSON.stringify(key)}`, {
        hint: `${near === undefined ? "" : `did you mean ${near}? `}its parameters are ${known.join(", ")}`,
      });
    }
    const text = (second ?? first).trim();
    const field = configFields(classicalConfigSchema).find(({ path }) => path[0] === key)!;
    const value = field.choices === undefined && text !== "" ? Number(text) : text;
    const schema = classicalConfigSchema.shape[key as "C"];
    if (!schema.safeParse(value).success) {
      throw new UsageError(`--grid: ${key}=${text} given; allowed: ${field.allowed}`);
    }
    grid[key] = [...(grid[key] ?? []), value];
  }
  return grid;
}
