import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ThawError, UsageError } from "../errors.ts";
import { readWeights, type WeightsFile } from "../models/weights/index.ts";
import { contentDigest } from "./checkpoint.ts";
import { listRuns, RunRecord } from "./record.ts";

const inputSchema = z.object({
  channels: z.int().min(1),
  height: z.int().min(1),
  width: z.int().min(1),
  mean: z.array(z.number()),
  std: z.array(z.number()),
});

/** Weights to start from or to judge, and what their file says of itself. */
export interface Weights extends WeightsFile {
  /** As a person named them. */
  readonly reference: string;
  /** Name of the model, of Thaw's own files. */
  readonly model: string | undefined;
  /** Names in the order of the outputs, of Thaw's own files. */
  readonly classes: readonly string[] | undefined;
  /** Size and normalisation of the images, of Thaw's own files. */
  readonly input: z.output<typeof inputSchema> | undefined;
}

export interface WeightsPlaces {
  /** Folder of the runs; default `runs`. */
  readonly out?: string;
  /** Fetches what is neither a file nor a run. */
  readonly fetch?: (reference: string) => Promise<{ readonly path: string }>;
}

/**
 * Opens weights by file (safetensors, or what torch.save wrote), by a run's folder or name (its best model), or by a
 * folder as Hugging Face lays it out.
 * @throws UsageError where there is nothing of the name; ThawError where the file is damaged.
 */
export async function openWeights(reference: string, places: WeightsPlaces = {}): Promise<Weights> {
  const { out = "runs", fetch } = places;
  const path = localWeights(reference, out) ?? (await fetch?.(reference))?.path;
  if (path === undefined) throw notThere(reference, out);
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
  return {
    ...file,
    reference,
    model: rest["run"] === undefined ? undefined : rest["model"],
    classes: told("classes", z.array(z.string())),
    input: told("input", inputSchema),
  };
}

/** The file of a local reference; undefined where there is none of the name. */
function localWeights(reference: string, out: string): string | undefined {
  if (isFile(reference)) return reference;
  for (const dir of [reference, join(out, reference)]) {
    const { best } = new RunRecord(dir);
    const usual = ["model.safetensors", "pytorch_model.bin"].map((file) => join(dir, file));
    const found = [best, ...usual].find(isFile);
    if (found !== undefined) return found;
    if (existsSync(join(dir, "environment.json"))) {
      throw new ThawError(`${reference} has no best model yet (${best})`, {
        hint: "its first epoch is not finished",
      });
    }
  }
  return undefined;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function notThere(reference: string, out: string): UsageError {
  const runs = listRuns(out).slice(0, 20);
  const known = runs.length === 0 ? "" : `; runs in ${out}: ${runs.join(", ")}`;
  return new UsageError(`--weights ${reference}: there is no such file or run`, {
    hint: `give a .safetensors, .pth, .pt, .th or .bin file, or a run's folder or name${known}`,
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
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ThawError(
      `${path}: its metadata has a ${key} that is not as \`thaw train\` writes it`,
      {
        cause,
      },
    );
  }
}
