import { existsSync } from "node:fs";
import { join } from "node:path";
import { DamagedFileError } from "../../../data/formats/damaged.ts";
import { ThawError } from "../../../errors.ts";
import { cacheHome } from "../../../libtorch/home.ts";
import type { Preprocessing } from "../../spec.ts";
import { readDescription } from "./description.ts";
import type { WeightsProgress } from "./download-blob.ts";
import { type Environment, hubSettings } from "./environment.ts";
import { HubRefusedError, HubUnavailableError } from "./errors.ts";
import { findOnHub } from "./hub-weights.ts";
import { beside, type FoundWeights, findInMirror, type MirrorOptions } from "./mirror.ts";
import { publishedWeights } from "./published.ts";
import { hubWeightFiles, runWeightsFile, type WeightsReference } from "./reference.ts";
import { findRelease, releasePath } from "./release.ts";
import { releaseOf } from "./releases.ts";
import { HubRepository } from "./repository.ts";
import { defaultRetry, type RetryPolicy } from "./retry.ts";

export interface ResolveOptions {
  /** `HF_…`, `THAW_HOME` and `THAW_MIRROR` are read from it. */
  readonly env: Environment;
  /** A folder or http(s) address; default `THAW_MIRROR`. */
  readonly mirror?: string | undefined;
  /** Ask no server, as `HF_HUB_OFFLINE=1`. */
  readonly offline?: boolean | undefined;
  readonly onProgress?: ((progress: WeightsProgress) => void) | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** How long a server may say nothing. */
  readonly stallMs?: number | undefined;
}

/** A weights file on this machine, and what is known of it. */
export interface ResolvedWeights {
  readonly path: string;
  /** For people: the file, address or repository that it came from. */
  readonly source: string;
  /** The hub's commit. */
  readonly revision?: string;
  readonly preprocessing?: Preprocessing;
  /** In the order of the outputs. */
  readonly classes?: readonly string[];
  /** For people: what was passed over, or used in another's place. */
  readonly notes: readonly string[];
}

/**
 * Finds weights, and fetches them where they are not on this machine: a mirror, the hub's cache, the hub.
 * @throws ThawError that says what to do: no such repository, no network, wrong checksum, a licence to accept.
 */
export async function resolveWeights(
  reference: WeightsReference,
  options: ResolveOptions,
): Promise<ResolvedWeights> {
  const found = await find(reference, options);
  const usual =
    reference.kind === "hub" ? publishedWeights(reference.repo)?.preprocessing : undefined;
  const { notes, ...description } = await readDescription(found, usual);
  const { path, source, revision } = found;
  return {
    path,
    source,
    ...(revision !== undefined && { revision }),
    ...description,
    notes: [...(found.notes ?? []), ...notes],
  };
}

async function find(reference: WeightsReference, options: ResolveOptions): Promise<FoundWeights> {
  switch (reference.kind) {
    case "file": {
      const { path } = reference;
      if (!existsSync(path)) throw new ThawError(`${path}: there is no such file`);
      const known = hubWeightFiles.some((name) => path.endsWith(name));
      return { path, source: path, ...(known && beside(path)) };
    }
    case "run": {
      const path = join(reference.path, runWeightsFile);
      if (!existsSync(path)) throw new ThawError(`${reference.path} has no ${runWeightsFile}`);
      return { path, source: path };
    }
    case "hub":
      return findRepository(reference, options);
  }
}

async function findRepository(
  { repo, revision }: WeightsReference & { kind: "hub" },
  options: ResolveOptions,
): Promise<FoundWeights> {
  const { env, onProgress, stallMs } = options;
  const fromEnv = hubSettings(env);
  const settings = { ...fromEnv, offline: fromEnv.offline || options.offline === true };
  const mirror = options.mirror ?? (env["THAW_MIRROR"] || undefined);
  const places: MirrorOptions = {
    cacheFolder: join(cacheHome(env), "weights"),
    offline: settings.offline,
    onProgress,
    stallMs,
  };
  const release = releaseOf(repo);
  if (mirror !== undefined) {
    const found = await findInMirror(mirror, repo, revision, places);
    if (found !== undefined) return found;
  }
  if (release !== undefined && !release.onHub) return findRelease(release, mirror, places);
  // A branch of the hub's is not what a release can stand for.
  const substitute = revision === undefined ? release : undefined;
  if (substitute !== undefined && mirror !== undefined) {
    const found = await findRelease(substitute, mirror, places).catch((error: unknown) => {
      // The mirror has it damaged: it was chosen on purpose.
      if (error instanceof DamagedFileError || !(error instanceof ThawError)) throw error;
      return undefined;
    });
    if (found !== undefined) return found;
  }
  const retry = options.retry ?? defaultRetry;
  const repository = new HubRepository(repo, revision ?? "main", {
    settings,
    retry,
    stallMs,
    onProgress,
  });
  try {
    return await findOnHub(repository);
  } catch (error) {
    const unreached = error instanceof HubUnavailableError || error instanceof HubRefusedError;
    if (!unreached || !substitute) throw error;
    if (!existsSync(releasePath(substitute, places.cacheFolder))) throw error;
    return findRelease(substitute, undefined, { ...places, offline: true });
  }
}
