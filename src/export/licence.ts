import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { models } from "../models/index.ts";
import { type Run, readRun } from "../run/read.ts";

/** Of the weights that a run's training began with, where the registry knows them. */
export function licenceOf(run: Pick<Run, "config" | "dir">): string {
  const { model, pretrained, weights, features } = run.config as Record<string, string | undefined>;
  const named = weights ?? (features === "pixels" ? undefined : features);
  if (!pretrained && named === undefined) return "none: trained from random weights";
  const before = named === undefined ? undefined : runOf(named, run.dir);
  if (before !== undefined) return licenceOf(before);
  const all = Object.entries(models).flatMap(([name, spec]) =>
    spec.weights.map((entry) => ({ name, ...entry })),
  );
  const wanted = named?.replace(/^hf-hub:/, "").replace(/@.*$/, "");
  const known =
    all.find(({ repo }) => repo === wanted) ??
    all.find(({ name }) => name === (pretrained ? model : wanted));
  if (known !== undefined) return known.licence;
  // A file's folder is nobody's business but its owner's.
  return `unknown: that of ${named?.startsWith("hf-hub:") ? named : basename(named ?? "its weights")}`;
}

/** The run that weights or embeddings are of, by its folder, or by its name beside this one. */
function runOf(named: string, dir: string): Run | undefined {
  const folder = [named, join(dirname(resolve(dir)), named)].find((place) =>
    existsSync(join(place, "summary.json")),
  );
  // One that was written over with what began from itself ends here.
  return folder === undefined || resolve(folder) === resolve(dir) ? undefined : readRun(folder);
}
