import { z } from "zod";
import { ThawError, UsageError } from "../errors.ts";
import type { Preprocessing } from "../models/index.ts";
import {
  formatReference,
  modelOfRepo,
  parseWeightsReference,
  type ResolveOptions,
  resolveWeights,
  type WeightsReference,
} from "../models/weights/hub/index.ts";
import { readWeights, type WeightsFile } from "../models/weights/index.ts";
import { parseJson } from "../platform/json.ts";
import { contentDigest } from "./checkpoint.ts";
import { trainConfigSchema } from "./config.ts";
import type { CheckpointName } from "./evaluation.ts";
import { lastEpoch } from "./last-epoch.ts";

/** Told wrong once, not for each of a file's millions. */
const namesSchema = z.custom<string[]>(
  (value) => Array.isArray(value) && value.every((name) => typeof name === "string"),
);

const inputSchema = z.object({
  channels: z.int().min(1),
  height: z.int().min(1),
  width: z.int().min(1),
  mean: z.array(z.number()),
  std: z.array(z.number()),
  interpolation: trainConfigSchema.shape.interpolation,
  cropPct: trainConfigSchema.shape.cropPct,
  pixelRange: trainConfigSchema.shape.pixelRange,
});

/** Weights to start from or to judge, and what their file says of itself. */
export interface Weights extends WeightsFile {
  /** As a person named them. */
  readonly reference: string;
  /** Where the file came from: a path, an address, or a repository at a revision. */
  readonly source: string;
  /** The hub's commit. */
  readonly revision: string | undefined;
  /** For people: what was passed over, or used in another's place. */
  readonly notes: readonly string[];
  /** Of published weights, as their files or the registry say it. */
  readonly preprocessing: Preprocessing | undefined;
  /** Name of the model, of Thaw's own files and of published weights. */
  readonly model: string | undefined;
  /** Names in the order of the outputs, of Thaw's own files and of those with a config.json. */
  readonly classes: readonly string[] | undefined;
  /** Size, resizing and normalisation of the images, of Thaw's own files. */
  readonly input: z.output<typeof inputSchema> | undefined;
}

export interface WeightsPlaces extends Partial<ResolveOptions> {
  /** Folder of the runs; default `runs`. */
  readonly out?: string | undefined;
}

export interface WeightsChoice extends WeightsPlaces {
  /** Of a run; default the best. */
  readonly checkpoint?: CheckpointName | undefined;
}

/**
 * Opens weights by file (safetensors, or what torch.save wrote), by a run's folder or name (its best model, or its last
 * epoch), by a folder as Hugging Face lays it out, by a repository of the hub or by a model's name (its default weights),
 * which are fetched where they are not on this machine. `env` is the process's unless given.
 * @throws UsageError where there is nothing of the name; ThawError where the file is damaged or cannot be had.
 */
export async function openWeights(
  reference: string | WeightsReference,
  { out = "runs", env = process.env, checkpoint = "best", ...places }: WeightsChoice = {},
): Promise<Weights> {
  const parsed =
    typeof reference === "string" ? parseWeightsReference(reference, { out }) : reference;
  const last = checkpoint === "last" ? lastEpoch(runOf(parsed)) : undefined;
  const { path, source, revision, preprocessing, classes, notes } = await resolveWeights(parsed, {
    env,
    ...places,
  });
  const file = readWeights(path);
  const { sha256, ...rest } = file.metadata;
  // Of a run: other tools' files may call something else so.
  if (sha256 !== undefined && rest["run"] !== undefined) {
    if (sha256 !== contentDigest(file.tensors, rest)) {
      throw new ThawError(`${path}: its content does not match its checksum`, {
        hint: "The file was damaged after it was written; use another.",
      });
    }
  }
  const told = <T>(key: string, schema: z.ZodType<T>) => parse(path, rest, key, schema);
  const published = parsed.kind === "hub" ? modelOfRepo(parsed.repo) : undefined;
  const model = rest["run"] === undefined ? published : rest["model"];
  return {
    ...file,
    ...last,
    framework: file.framework ?? frameworkOf(model),
    reference: typeof reference === "string" ? reference : formatReference(reference),
    source: last?.path ?? source,
    revision,
    notes,
    preprocessing,
    model,
    classes: told("classes", namesSchema) ?? classes,
    // A classical model's file has the size of its images alone.
    input: rest["steps"] === undefined ? told("input", inputSchema) : undefined,
  };
}

/** `tf_` is timm's mark of TensorFlow's layers. */
function frameworkOf(model: string | undefined): WeightsFile["framework"] {
  if (model === undefined) return undefined;
  return model.startsWith("tf_") ? "tensorflow" : "pytorch";
}

function runOf(reference: WeightsReference): string {
  if (reference.kind === "run") return reference.path;
  throw new UsageError(`--checkpoint last: ${formatReference(reference)} is not a run`, {
    hint: "only a run has a last epoch: leave --checkpoint out",
  });
}

/** Undefined where the file does not have the key, or has something else under it: other tools write metadata too. */
function parse<T>(
  path: string,
  metadata: Readonly<Record<string, string>>,
  key: string,
  schema: z.ZodType<T>,
): T | undefined {
  const text = metadata[key];
  if (text === undefined || metadata["run"] === undefined) return undefined;
  try {
    return schema.parse(parseJson(text));
  } catch (cause) {
    throw new ThawError(
      `${path}: its metadata has a ${key} that is not as \`thaw train\` writes it`,
      {
        cause,
      },
    );
  }
}
