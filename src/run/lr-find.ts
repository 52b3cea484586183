import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { canonicalJson, type TrainConfig } from "./config.ts";
import { jsonFile } from "./json-file.ts";
import { defaultRunName, nameWithoutSeed } from "./record.ts";

/** What a learning rate is found for; another value of any of these wants another rate. */
const subjectKeys = [
  "data",
  "pathColumn",
  "labelColumn",
  "splitColumn",
  "imageFolder",
  "pixelRange",
  "classes",
  "model",
  "weights",
  "pretrained",
  "strategy",
  "unfreeze",
  "opt",
  "batchSize",
  "gradAccumSteps",
  "imgSize",
] as const;

const rate = z.number().gt(0);

/** `lr-find.json`. */
export const lrFindSchema = z.looseObject({
  /** The values of the config that the result is for. */
  subject: z.record(z.string(), z.unknown()),
  seed: z.number(),
  /** The range that was asked for, and steps over the whole of it. */
  range: z.object({ from: rate, to: rate, steps: z.int().min(1) }),
  /** Why it ended before `range.to`; absent where it did not. */
  stopped: z.string().optional(),
  /** A point a step. `smooth` is the average that the suggestions are made from, `loss` the batch's own. */
  points: z.array(z.object({ lr: rate, loss: z.number(), smooth: z.number() })),
  /** The one to use, and what it was found by. */
  suggestion: z.object({ lr: rate, by: z.enum(["valley", "steepest"]) }),
  valley: rate,
  steepest: rate,
});
export type LrFind = z.infer<typeof lrFindSchema>;

export function lrFindSubject(config: TrainConfig): Readonly<Record<string, unknown>> {
  const entries = subjectKeys.map((key) => [key, config[key]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** Where the result for a config is kept: `<out>/lr-find/<data>-<model>-<strategy>-<opt>-b<batch size>-<digest>`. */
export function lrFindFolder(config: TrainConfig): string {
  const subject = createHash("sha256")
    .update(canonicalJson(lrFindSubject(config)))
    .digest("hex");
  const name = nameWithoutSeed(defaultRunName(config));
  return join(
    config.out,
    "lr-find",
    `${name}-${config.opt}-b${config.batchSize}-${subject.slice(0, 8)}`,
  );
}

/** An earlier result for what this config trains; undefined where there is none, or none that can be read. */
export function readLrFind(config: TrainConfig): LrFind | undefined {
  // It only advises: a damaged file must not stop a run.
  const found = lrFindSchema.safeParse(jsonFile(join(lrFindFolder(config), "lr-find.json"))).data;
  if (found === undefined) return undefined;
  const isSame = canonicalJson(found.subject) === canonicalJson(lrFindSubject(config));
  return isSame ? found : undefined;
}

/** How far above the suggestion a rate may be before it is worth a warning. */
const FAR = 10;

/** A warning where a config's rate is far above what an earlier range test of the same suggested. */
export function lrWarning(config: TrainConfig): string | undefined {
  const found = readLrFind(config);
  if (found === undefined || config.lr <= FAR * found.suggestion.lr) return undefined;
  const times = (config.lr / found.suggestion.lr).toPrecision(2);
  return (
    `warning: --lr ${config.lr} is ${Number(times)} times what thaw lr-find suggested for this ` +
    `(${found.suggestion.lr.toPrecision(2)}, ${lrFindFolder(config)})`
  );
}
