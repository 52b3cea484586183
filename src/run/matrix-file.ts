import { z } from "zod";
import { DEFAULT_MIN_SIZE } from "../data/prepare/defaults.ts";
import { UsageError } from "../errors.ts";
import { trainConfigSchema } from "./config.ts";
import { type Document, readDocument } from "./config-load.ts";
import { csvKeys } from "./csv-keys.ts";
import { checkpointNames, ttaNames, voteNames } from "./evaluation.ts";

const count = () => z.int().min(1);
const path = () => z.string().min(1);

const dataKeys = {
  /** Folder or archive that is made. */
  out: path(),
  classes: z.array(z.string().min(1)).min(1).optional(),
  seed: z.int().min(0).default(42),
  ...csvKeys,
};
/** As `thaw data prepare`. */
const prepareSchema = z.strictObject({
  /** The source. */
  prepare: path(),
  ...dataKeys,
  /** Training, validation and test; they make 1 or 100. */
  split: z
    .tuple([z.number().gt(0), z.number().min(0), z.number().min(0)])
    .refine((shares) => [1, 100].some((sum) => isAbout(total(shares), sum)), {
      message: "three shares that make 100 or 1",
    })
    .optional(),
  minSize: count().default(DEFAULT_MIN_SIZE),
});
/** As `thaw data pack`. */
const packSchema = z.strictObject({
  /** The source. */
  pack: path(),
  ...dataKeys,
  out: z.string().regex(/.\.zip$/i, "an archive whose name ends in .zip"),
  ...trainConfigSchema.pick({
    perClass: true,
    trainSize: true,
    valSize: true,
    testSize: true,
    testFrom: true,
  }).shape,
});
const stepSchema = z
  .looseObject({})
  .refine((step) => "prepare" in step !== "pack" in step, {
    message: "either prepare: or pack: with the source, as prepare: stanford-dogs",
  })
  .transform((step, context) => {
    const parsed = ("pack" in step ? packSchema : prepareSchema).safeParse(step);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) context.addIssue({ ...issue, code: "custom" });
    return z.NEVER;
  });

const profileSchema = z.strictObject({
  modes: z
    .array(z.enum(["train", "infer"]))
    .min(1)
    .default(["train"]),
  /** Default: each model's own. */
  batchSizes: z.array(count()).min(1).optional(),
  steps: z.int().min(3).default(30),
  warmup: z.int().min(0).default(3),
  seconds: z.number().gt(0).default(10),
  trace: z.int().min(0).default(3),
});

const exportSchema = z.strictObject({
  which: z.enum(["all", "best"]).default("all"),
  precisions: z
    .array(z.enum(["fp32", "fp16", "int8"]))
    .min(1)
    .default(["fp32"]),
  opset: z.int().min(14).max(21).optional(),
  maxDrop: z.number().min(0).max(100).optional(),
  maxDifference: z.number().min(0).optional(),
  dynamicBatch: z.boolean().optional(),
  withPreprocessing: z.boolean().optional(),
  images: count().optional(),
});

/** As `thaw evaluate` with several runs, several views of the images or the last epoch. */
const evaluateSchema = z
  .strictObject({
    /** Names of members' runs, with their seeds. */
    runs: z.array(z.string().min(1)).min(1),
    ensemble: z.enum(voteNames).optional(),
    tta: z.enum(ttaNames).optional(),
    checkpoint: z.enum(checkpointNames).optional(),
    /** Of the result's folder. */
    name: trainConfigSchema.shape.name,
  })
  .superRefine(({ runs, ensemble, tta, checkpoint }, context) => {
    const wrong = (message: string) => context.addIssue({ code: "custom", message });
    if (new Set(runs).size < runs.length) wrong("a run is named twice");
    if (runs.length > 1 && ensemble === undefined) {
      wrong(`${runs.length} runs need ensemble: soft or hard`);
    }
    if (runs.length === 1 && ensemble !== undefined) wrong("one run is no ensemble");
    if (runs.length === 1 && tta === undefined && checkpoint !== "last") {
      wrong(
        `one run needs tta: ${ttaNames.join(" or ")}, or checkpoint: last; what else it says it has told`,
      );
    }
  });

/** What `quick:` may say otherwise. */
const variable = {
  base: z.record(z.string(), z.unknown()).default({}),
  matrix: z.record(z.string(), z.array(z.unknown()).min(1)).default({}),
  prepare: z.array(stepSchema).default([]),
  sanity: z.boolean().default(false),
  lrFind: z.boolean().default(false),
  profile: z.union([z.literal(false), profileSchema]).default(false),
  export: z.union([z.literal(false), exportSchema]).default(false),
  evaluate: z.array(evaluateSchema).default([]),
};
const fileSchema = z.strictObject({
  title: z.string().min(1).optional(),
  out: path().optional(),
  ...variable,
  quick: z
    .strictObject({
      base: variable.base,
      matrix: variable.matrix.unwrap().optional(),
      prepare: variable.prepare.unwrap().optional(),
      sanity: z.boolean().optional(),
      lrFind: z.boolean().optional(),
      profile: variable.profile.unwrap().optional(),
      export: variable.export.unwrap().optional(),
      evaluate: variable.evaluate.unwrap().optional(),
    })
    .optional(),
});

export type PrepareStep = z.output<typeof prepareSchema>;
export type PackStep = z.output<typeof packSchema>;
export type DataStep = PrepareStep | PackStep;
export type ProfilePlan = z.output<typeof profileSchema>;
export type ExportPlan = z.output<typeof exportSchema>;
export type EvaluatePlan = z.output<typeof evaluateSchema>;

/** What is done beside training. */
export interface Surroundings {
  /** Data that is made first, in this order. */
  readonly prepare: readonly DataStep[];
  /** `thaw sanity` of every member before it is trained. */
  readonly sanity: boolean;
  /** `thaw lr-find` for every network, whose rate stays as it is: the report says which are far off. */
  readonly lrFind: boolean;
  readonly profile: ProfilePlan | false;
  readonly export: ExportPlan | false;
  /** Ensembles of the runs, and runs that are judged on several views of an image or by their last epoch. */
  readonly evaluate: readonly EvaluatePlan[];
}

/** A matrix as it is written. */
export interface MatrixFile extends Surroundings {
  readonly title: string | undefined;
  readonly out: string | undefined;
  readonly base: Document;
  /** Laid over every member's own keys. */
  readonly over: Document;
  readonly matrix: Readonly<Record<string, readonly unknown[]>>;
}

/**
 * Reads a matrix; with `quick` its short form: what `quick:` has replaces the file's, its base lies over all members.
 * @throws UsageError that names the file and every wrong place.
 */
export function readMatrixFile(file: string, quick: boolean): MatrixFile {
  const parsed = fileSchema.safeParse(readDocument(file));
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap(deepest).map(({ path, message }) => {
      const place = path.map(String).join(".");
      return `${file}: ${place || "the document"}: ${message}`;
    });
    throw new UsageError(problems.join("\n"), {
      hint: "a matrix has base: (keys of thaw train) and matrix: (keys with a list of values), and may have title:, out:, prepare:, sanity:, lrFind:, profile:, export:, evaluate: and quick:; docs/recipes.md explains them",
    });
  }
  const { quick: short, ...rest } = parsed.data;
  const whole = { title: undefined, out: undefined, ...rest };
  if (!quick) return { ...whole, over: {} };
  if (short === undefined) {
    throw new UsageError(`--quick: ${file} has no quick:`, {
      hint: "quick: says what is otherwise in the short form, as quick: {base: {epochs: 1, trainSize: 500}}",
    });
  }
  const { base: over, ...given } = short;
  const title = `${whole.title ?? file} (quick form: fewer images and epochs)`;
  const replaced = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined));
  return { ...whole, title, ...replaced, over };
}

function total(shares: readonly number[]): number {
  return shares.reduce((sum, share) => sum + share, 0);
}

function isAbout(value: number, whole: number): boolean {
  return Math.abs(value - whole) < 1e-9 * whole;
}

/** What is wrong inside, where a value may be of several kinds. */
function deepest(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string }[] {
  if (issue.code !== "invalid_union") return [issue];
  const inner = issue.errors.flat().filter(({ path }) => path.length > 0);
  const keys = issue.errors.flat().filter(({ code }) => code === "unrecognized_keys");
  const found = inner.length > 0 ? inner : keys;
  if (found.length === 0) return [{ path: issue.path, message: "false or a group of keys" }];
  return found.map(({ path, message }) => ({ path: [...issue.path, ...path], message }));
}
