import { readdirSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { nearest, UsageError } from "../../../errors.ts";
import { pretrainedModels, publishedRepos, repoOfModel } from "./published.ts";

/** Where weights come from, as `--weights` says it. */
export type WeightsReference =
  | { readonly kind: "file"; readonly path: string }
  /** A run's folder. */
  | { readonly kind: "run"; readonly path: string }
  /** A repository of the hub; `revision` is a branch, a tag or a commit, default `main`. */
  | { readonly kind: "hub"; readonly repo: string; readonly revision?: string };

export const weightExtensions = [".safetensors", ".pth", ".th", ".pt", ".bin", ".ckpt"] as const;
/** A model's folder as Hugging Face's tools write it has one of these. */
export const hubWeightFiles = ["model.safetensors", "pytorch_model.bin"] as const;
/** The best model in a run's folder. */
export const runWeightsFile = join("checkpoints", "best.safetensors");

const FORMS =
  "--weights takes a file (.safetensors, .pth, .th, .pt, .bin, .ckpt), a run's folder or name, a model's name, or a repository as hf-hub:owner/name, owner/name or owner/name@revision";
const MAX_REPO = 96;
const MAX_NAMED = 20;

/**
 * Reads a `--weights` value: `hf-hub:owner/name`, `owner/name@revision`, a path, the name of a run in the folder `out`
 * (default `runs`), or a model's for its default weights. What exists as a path, then a run, wins over a repository of
 * that name.
 * @throws UsageError for what is neither, or could be meant as either.
 */
export function parseWeightsReference(
  text: string,
  { out = "runs" }: { readonly out?: string } = {},
): WeightsReference {
  const hub = /^hf[-_]hub:(.*)$/.exec(text)?.[1];
  if (hub !== undefined) return parseRepo(hub, text);
  if (text === "") throw new UsageError("--weights is empty", { hint: FORMS });
  if (/^https?:\/\//.test(text)) {
    throw new UsageError(`--weights ${text}: addresses are not fetched`, {
      hint: `download the file and give its path, or name the repository: ${FORMS}`,
    });
  }
  const found = statOf(text);
  if (found?.isDirectory() === false) return plainFile(text);
  const folder = inFolder(text) ?? inFolder(join(out, text));
  if (folder !== undefined) return folder;
  if (found !== undefined) throw emptyFolder(text);
  if (statOf(join(out, text))?.isDirectory()) throw emptyFolder(join(out, text));
  if (looksLikePath(text)) throw missingPath(text);
  if (text.includes("/")) return parseRepo(text, text);
  const repo = repoOfModel(text);
  if (repo !== undefined) return { kind: "hub", repo };
  throw new UsageError(
    `--weights ${text}: neither a file, a folder, a run nor a repository's owner/name`,
    { hint: `${didYouMean(text)}${runsIn(out)}${FORMS}` },
  );
}

/**
 * What `--pretrained` means: the default weights of a model.
 * @throws UsageError for a model that nobody published any of; it names those with some.
 */
export function pretrainedReference(model: string): WeightsReference {
  const repo = repoOfModel(model);
  if (repo !== undefined) return { kind: "hub", repo };
  throw new UsageError(`--pretrained: ${model} has no published weights`, {
    hint: `give a file or a run as --weights, or take one of ${pretrainedModels().join(", ")}`,
  });
}

/** As people write it: `owner/name@revision`, or the path. */
export function formatReference(reference: WeightsReference): string {
  if (reference.kind !== "hub") return reference.path;
  const { repo, revision } = reference;
  return revision === undefined ? repo : `${repo}@${revision}`;
}

/** "did you mean timm/resnet50.a1_in1k? ", or nothing: the nearest published weights, by whole name, name alone or model. */
export function didYouMean(text: string): string {
  const repos = publishedRepos();
  const byName = new Map(repos.map((repo) => [nameOf(repo), repo]));
  for (const model of pretrainedModels()) byName.set(model, model);
  const name = nearest(nameOf(text), byName.keys());
  const near = nearest(text, repos) ?? (name === undefined ? undefined : byName.get(name));
  return near === undefined ? "" : `did you mean ${near}? `;
}

function nameOf(repo: string): string {
  return repo.slice(repo.indexOf("/") + 1);
}

/** Undefined where there are no weights at such a place. */
function inFolder(path: string): WeightsReference | undefined {
  if (statOf(join(path, runWeightsFile))?.isFile()) return { kind: "run", path };
  const file = hubWeightFiles.find((name) => statOf(join(path, name))?.isFile());
  return file === undefined ? undefined : { kind: "file", path: join(path, file) };
}

function emptyFolder(path: string): UsageError {
  return new UsageError(`--weights ${path}: no weights in that folder`, {
    hint: `a run's folder has ${runWeightsFile} once its first epoch is finished, a model's has ${hubWeightFiles.join(" or ")}; a repository of that name is hf-hub:${path}`,
  });
}

function plainFile(path: string): WeightsReference {
  if (!weightExtensions.some((extension) => path.toLowerCase().endsWith(extension))) {
    throw new UsageError(`--weights ${path}: not a kind of file that holds weights`, {
      hint: `known are ${weightExtensions.join(", ")}`,
    });
  }
  return { kind: "file", path };
}

/** "runs in runs: first, second; ", or nothing where none has weights yet. */
function runsIn(out: string): string {
  const names = statOf(out)?.isDirectory() ? readdirSync(out).sort() : [];
  const runs = names.filter((name) => statOf(join(out, name, runWeightsFile))?.isFile());
  const more = runs.length > MAX_NAMED ? ", …" : "";
  return runs.length === 0 ? "" : `runs in ${out}: ${runs.slice(0, MAX_NAMED).join(", ")}${more}; `;
}

function looksLikePath(text: string): boolean {
  return (
    /^[./~]|\\|^[A-Za-z]:/.test(text) ||
    text.split("/").length > 2 ||
    weightExtensions.some((extension) => text.toLowerCase().endsWith(extension)) ||
    // `runs/first` where runs/ stands: a run was meant that is not there.
    (text.includes("/") && statOf(dirname(text))?.isDirectory() === true)
  );
}

function missingPath(text: string): UsageError {
  const repo = isRepo(text.split("@")[0]!) ? `; a repository of that name is hf-hub:${text}` : "";
  return new UsageError(`--weights ${text}: there is no such file or folder`, {
    hint: `check the path${repo}`,
  });
}

function parseRepo(name: string, text: string): WeightsReference {
  const at = name.indexOf("@");
  const repo = at < 0 ? name : name.slice(0, at);
  if (!isRepo(repo)) {
    throw new UsageError(`--weights ${text}: ${JSON.stringify(repo)} cannot be a repository`, {
      hint: `${didYouMean(repo)}${FORMS}`,
    });
  }
  if (at < 0) return { kind: "hub", repo };
  const revision = name.slice(at + 1);
  if (!isRevision(revision)) {
    throw new UsageError(`--weights ${text}: ${JSON.stringify(revision)} cannot be a revision`, {
      hint: "after @ comes a branch, a tag or a commit",
    });
  }
  return { kind: "hub", repo, revision };
}

/** The hub's rule; without an owner for its oldest repositories. */
function isRepo(text: string): boolean {
  return (
    text.length <= MAX_REPO &&
    /^([A-Za-z0-9][\w.-]*\/)?[A-Za-z0-9][\w.-]*$/.test(text) &&
    !/--|\.\.|[.-](\/|$)|\.git$/.test(text)
  );
}

/** It becomes a path below `refs/`. */
function isRevision(text: string): boolean {
  const parts = text.split("/");
  return parts.every((part) => /^[\w+=~,()-][\w.+=~,()-]*$/.test(part) && !part.includes(".."));
}

/** Undefined also for what cannot be a path here, as one below a plain file. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
