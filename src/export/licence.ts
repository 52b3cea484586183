import { basename, dirname, resolve } from "node:path";
import { ThawError } from "../errors.ts";
import { type ModelSpec, models } from "../models/index.ts";
import { parseWeightsReference, type WeightsReference } from "../models/weights/hub/index.ts";
import { type Run, readRun } from "../run/read.ts";
import { isRun } from "../run/record.ts";

const specs: Readonly<Record<string, ModelSpec>> = models;
const none = "none: trained from random weights";

/** Of the weights that a run's training began with, where the registry knows them. */
export function licenceOf(run: Pick<Run, "config" | "dir">): string {
  return through(run, new Set());
}

/** @param seen Folders on the way here: two runs can each have begun with what the other was before. */
function through({ config, dir }: Pick<Run, "config" | "dir">, seen: Set<string>): string {
  seen.add(resolve(dir));
  const { model, pretrained, weights, features } = config as Record<string, string | undefined>;
  if (pretrained) return published(model) ?? unknown("its weights");
  const named = weights ?? (features === "pixels" ? undefined : features);
  if (named === undefined) return none;
  // Embeddings are of a model of the registry first, weights are a run's first.
  const byName = weights === undefined ? published(named) : undefined;
  if (byName !== undefined) return byName;
  const beside = dirname(resolve(dir));
  const before = runOf(resolve(beside, named)) ?? runOf(named);
  if (before !== undefined) return ofRun(before, seen);
  if (weights === undefined) return unknown(basename(named));
  const reference = referenceOf(named, beside);
  // A file's folder is nobody's business but its owner's.
  if (reference?.kind !== "hub") return unknown(basename(named));
  const { repo } = reference;
  return licenceOfRepo(repo) ?? unknown(repo);
}

const unknown = (what: string): string => `unknown: that of ${what}`;

/** Of a model's default weights. */
function published(name: string | undefined): string | undefined {
  if (name === undefined || !Object.hasOwn(specs, name)) return undefined;
  return specs[name]!.weights[0]?.licence;
}

function licenceOfRepo(repo: string): string | undefined {
  const entries = Object.values(specs).flatMap(({ weights }) => weights);
  return entries.find((entry) => entry.repo === repo)?.licence;
}

/** A run's folder, by itself or by one of its checkpoints. */
function runOf(named: string): string | undefined {
  const folder = dirname(named);
  const places = basename(folder) === "checkpoints" ? [named, dirname(folder)] : [named];
  return places.find(isRun);
}

function ofRun(dir: string, seen: Set<string>): string {
  const name = basename(resolve(dir));
  if (seen.has(resolve(dir))) return unknown(name);
  try {
    return through(readRun(dir), seen);
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    return unknown(name);
  }
}

/** Undefined for what is gone. */
function referenceOf(named: string, out: string): WeightsReference | undefined {
  try {
    return parseWeightsReference(named, { out });
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    return undefined;
  }
}
