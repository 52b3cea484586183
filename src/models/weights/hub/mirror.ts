import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { downloadFile, NotOnServerError } from "../../../data/datasets/download.ts";
import { checkMirror, isFile, isUrl } from "../../../data/datasets/sources.ts";
import { ThawError } from "../../../errors.ts";
import { readSafetensorsHeader } from "../safetensors.ts";
import { RepoCache } from "./cache.ts";
import { MAX_DESCRIPTION_BYTES } from "./description.ts";
import type { WeightsProgress } from "./download-blob.ts";
import { hubWeightFiles, weightExtensions } from "./reference.ts";

/** Weights that were found, and the files beside them that describe them. */
export interface FoundWeights {
  readonly path: string;
  /** For people: the file, address or repository. */
  readonly source: string;
  readonly revision?: string;
  readonly config?: string | undefined;
  readonly preprocessor?: string | undefined;
  readonly notes?: readonly string[];
}

export interface MirrorOptions {
  /** Thaw's own folder for weights. */
  readonly cacheFolder: string;
  readonly offline: boolean;
  readonly onProgress?: ((progress: WeightsProgress) => void) | undefined;
  readonly stallMs?: number | undefined;
}

const MAIN = "main";
const MAX_WEIGHTS_BYTES = 64 * 2 ** 30;

/**
 * The weights of a repository from a mirror: `models--owner--name` as in the hub's cache, `owner/name/model.safetensors`,
 * or `name.safetensors`; of an address, the last two. The last two have no revision but `main`.
 * @throws UsageError if the folder is not there; ThawError if the mirror has the file, but not rightly.
 */
export async function findInMirror(
  mirror: string,
  repo: string,
  revision: string | undefined,
  options: MirrorOptions,
): Promise<FoundWeights | undefined> {
  await checkMirror(mirror);
  if (isUrl(mirror)) {
    if (revision !== undefined && revision !== MAIN) return undefined;
    return findAtAddress(mirror.replace(/\/+$/, ""), repo, options);
  }
  return findInSnapshots(mirror, repo, revision) ?? (await findInFolder(mirror, repo, revision));
}

function findInSnapshots(mirror: string, repo: string, revision = MAIN): FoundWeights | undefined {
  const cache = new RepoCache(mirror, repo);
  const commit = cache.commitOf(revision);
  if (commit === undefined) return undefined;
  const present = (file: string) => {
    const found = cache.find(commit, file);
    return found === "absent" ? undefined : found;
  };
  const path = hubWeightFiles.map(present).find((found) => found !== undefined);
  if (path === undefined) return undefined;
  return {
    path,
    source: path,
    revision: commit,
    config: present("config.json"),
    preprocessor: present("preprocessor_config.json"),
  };
}

async function findInFolder(
  mirror: string,
  repo: string,
  revision: string | undefined,
): Promise<FoundWeights | undefined> {
  if (revision !== undefined && revision !== MAIN) return undefined;
  for (const file of hubWeightFiles) {
    const path = join(mirror, repo, file);
    if (await isFile(path)) return { path, source: path, ...beside(path) };
  }
  for (const extension of weightExtensions) {
    const path = join(mirror, `${nameOf(repo)}${extension}`);
    if (await isFile(path)) return { path, source: path };
  }
  return undefined;
}

/** The files that describe a model, where they stand beside its weights. */
export function beside(path: string): Pick<FoundWeights, "config" | "preprocessor"> {
  const present = (name: string) => {
    const file = join(dirname(path), name);
    return existsSync(file) ? file : undefined;
  };
  return { config: present("config.json"), preprocessor: present("preprocessor_config.json") };
}

async function findAtAddress(
  mirror: string,
  repo: string,
  options: MirrorOptions,
): Promise<FoundWeights | undefined> {
  // Another address may have other weights by the same name.
  const key = createHash("sha256").update(mirror).digest("hex").slice(0, 16);
  const folder = join(options.cacheFolder, `mirror-${key}`, repo.replaceAll("/", "--"));
  const fetched = (file: string, name = file, maxBytes = MAX_WEIGHTS_BYTES) =>
    fetchOnce(`${mirror}/${file}`, join(folder, name), maxBytes, options);
  for (const file of hubWeightFiles) {
    const path = await fetched(`${repo}/${file}`, file);
    if (path === undefined) continue;
    const described = (name: string) => fetched(`${repo}/${name}`, name, MAX_DESCRIPTION_BYTES);
    const config = await described("config.json");
    const preprocessor = await described("preprocessor_config.json");
    return { path, source: `${mirror}/${repo}/${file}`, config, preprocessor };
  }
  const file = `${nameOf(repo)}.safetensors`;
  const path = await fetched(file);
  return path === undefined ? undefined : { path, source: `${mirror}/${file}` };
}

/** Undefined: the server does not have it. */
async function fetchOnce(
  url: string,
  target: string,
  maxBytes: number,
  { offline, onProgress, stallMs }: MirrorOptions,
): Promise<string | undefined> {
  if (await isFile(target)) return target;
  if (offline) return undefined;
  await mkdir(dirname(target), { recursive: true });
  const file = url.slice(url.lastIndexOf("/") + 1);
  try {
    await downloadFile(url, target, {
      maxBytes,
      stallMs,
      onProgress: (received, total) => onProgress?.({ file, received, total }),
      accept: async (temporary) => checkWhole(temporary, target, url),
    });
    return target;
  } catch (error) {
    if (error instanceof NotOnServerError) return undefined;
    throw error;
  }
}

/** No checksum is known of a mirror's file; a safetensors header at least says how long it has to be. */
function checkWhole(temporary: string, target: string, url: string): void {
  if (!target.endsWith(".safetensors")) return;
  try {
    readSafetensorsHeader(temporary);
  } catch (cause) {
    throw new ThawError((cause as Error).message.replaceAll(temporary, url), {
      hint: "replace that file by a good copy, or leave the mirror away",
      cause,
    });
  }
}

function nameOf(repo: string): string {
  return repo.slice(repo.indexOf("/") + 1);
}
