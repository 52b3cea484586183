import { mkdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ThawError, UsageError } from "../../errors.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { downloadFile, NotOnServerError } from "./download.ts";
import type { Artifact, BuiltinDataset, Packing } from "./registry.ts";
import { type Contents, unpackVerified } from "./unpack.ts";

/** Said while data are fetched and made ready. `total` is undefined where nobody knows it. */
export interface DatasetProgress {
  readonly phase: "download" | "unpack" | "check" | "decode";
  readonly file: string;
  /** In bytes, or images where they are decoded. */
  readonly received: number;
  readonly total: number | undefined;
}

export interface SourceOptions {
  /** Thaw's own folder for this data set; downloads stay there. */
  readonly cacheFolder: string;
  /** A folder or an http(s) address that holds the archives, or a folder of that name with them. */
  readonly mirror?: string | undefined;
  readonly onProgress?: ((progress: DatasetProgress) => void) | undefined;
  readonly stallMs?: number | undefined;
}

export interface Obtained {
  readonly contents: Contents;
  /** For people: the file or address that it came from. */
  readonly origin: string;
}

/** Whose artifact it is; weights are such too. */
export type Supplied = Pick<BuiltinDataset, "name" | "title" | "system">;

/** Judges a packed file; a `DamagedFileError` sends the search on. */
type Accept<T> = (path: string, packing: Packing) => Promise<T>;

type Kind = "cache" | "mirror" | "system" | "official";
type Place =
  | { readonly kind: Kind; readonly packing: Packing; readonly path: string }
  | { readonly kind: Kind; readonly packing: Packing; readonly url: string };

/**
 * Fetches one artifact from the first source that has it whole, and unpacks it. See `obtainFile`.
 * @throws ThawError that lists every source tried and why it did not do.
 */
export async function obtainArtifact(
  dataset: Supplied,
  artifact: Artifact,
  options: SourceOptions,
): Promise<Obtained> {
  const unpack: Accept<Contents> = (path, packing) =>
    unpackVerified(path, packing, artifact, unpackProgress(packing, options));
  const { accepted, origin } = await obtainFile(dataset, artifact, options, unpack);
  return { contents: accepted, origin };
}

/**
 * Finds one artifact's packed file in the first source that has it whole: Thaw's cache, the mirror,
 * the system's package, the official address (which is then in the cache). `path` is where it lies.
 *
 * A mirror was chosen on purpose: what it has but has wrongly is an error at once. Elsewhere damage
 * is remembered and the next source tried.
 */
export async function obtainFile<T>(
  dataset: Supplied,
  artifact: Artifact,
  options: SourceOptions,
  accept: Accept<T>,
): Promise<{ readonly accepted: T; readonly origin: string; readonly path: string }> {
  await checkMirror(options.mirror);
  const tried: string[] = [];
  for (const place of placesOf(dataset, artifact, options)) {
    const address = "path" in place ? place.path : place.url;
    try {
      if ("url" in place) {
        const path = join(options.cacheFolder, place.packing.file);
        const accepted = await fromUrl(place.url, path, place.packing, artifact, options, accept);
        return { accepted, origin: address, path };
      }
      if (await isFile(place.path)) {
        const accepted = await accept(place.path, place.packing);
        return { accepted, origin: address, path: place.path };
      }
      tried.push(`${place.kind}: ${address}: not there`);
    } catch (cause) {
      const error = asThawError(cause, address);
      if (error instanceof NotOnServerError) {
        tried.push(`${place.kind}: ${error.message}`);
        continue;
      }
      if (place.kind === "mirror") throw withAdvice(error, artifact);
      if (place.kind === "cache" && error instanceof DamagedFileError) {
        // Where the cache cannot be written, the file is only passed over.
        await rm(address, { force: true }).catch(() => {});
      }
      tried.push(`${place.kind}: ${error.message}`);
    }
  }
  const file = artifact.packings[0]?.file ?? dataset.name;
  throw new ThawError(
    `${dataset.title}: no source has ${file}\n${tried.map((line) => `  ${line}`).join("\n")}`,
    { hint: adviceFor(dataset, artifact) },
  );
}

/** True if a mirror folder has the artifact in its official packing. */
export async function mirrorHasOfficial(
  dataset: BuiltinDataset,
  artifact: Artifact,
  mirror: string | undefined,
): Promise<boolean> {
  const official = artifact.packings[0];
  if (mirror === undefined || isUrl(mirror) || official === undefined) return false;
  for (const path of [join(mirror, dataset.name, official.file), join(mirror, official.file)]) {
    if (await isFile(path)) return true;
  }
  return false;
}

function placesOf(
  dataset: Supplied,
  { packings, url }: Artifact,
  { cacheFolder, mirror }: SourceOptions,
): Place[] {
  const places: Place[] = packings.map((packing) => ({
    kind: "cache",
    packing,
    path: join(cacheFolder, packing.file),
  }));
  for (const packing of mirror === undefined ? [] : packings) {
    // The data set's own folder first: MNIST's files have the same names as Fashion-MNIST's.
    for (const file of [`${dataset.name}/${packing.file}`, packing.file]) {
      places.push(
        isUrl(mirror!)
          ? { kind: "mirror", packing, url: `${mirror!.replace(/\/+$/, "")}/${file}` }
          : { kind: "mirror", packing, path: join(mirror!, file) },
      );
    }
  }
  for (const packing of dataset.system ? packings : []) {
    places.push({ kind: "system", packing, path: join(dataset.system!.folder, packing.file) });
  }
  const official = packings[0];
  if (official && url !== undefined) places.push({ kind: "official", packing: official, url });
  return places;
}

async function fromUrl<T>(
  url: string,
  target: string,
  packing: Packing,
  { maxBytes }: Artifact,
  { stallMs, onProgress }: SourceOptions,
  accept: Accept<T>,
): Promise<T> {
  await mkdir(dirname(target), { recursive: true });
  return downloadFile(url, target, {
    maxBytes,
    stallMs,
    onProgress: (received, total) =>
      onProgress?.({ phase: "download", file: packing.file, received, total }),
    accept: async (temporary) => {
      try {
        return await accept(temporary, packing);
      } catch (cause) {
        if (!(cause instanceof DamagedFileError)) throw cause;
        // The temporary file is gone by the time this is read: the address is what counts.
        const message = cause.message.replaceAll(temporary, url);
        throw new DamagedFileError(message, { cause });
      }
    },
  });
}

function unpackProgress({ file }: Packing, { onProgress }: SourceOptions) {
  return (received: number, total: number) =>
    onProgress?.({ phase: "unpack", file, received, total });
}

export async function checkMirror(mirror: string | undefined): Promise<void> {
  if (mirror === undefined || isUrl(mirror)) return;
  const found = await stat(mirror).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new UsageError(`mirror ${mirror}: there is no such folder`, {
    hint: "--mirror and THAW_MIRROR take a folder or an http(s) address that holds the original archives",
  });
}

export function isUrl(mirror: string): boolean {
  return /^https?:\/\//.test(mirror);
}

export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}

function asThawError(cause: unknown, address: string): ThawError {
  if (cause instanceof ThawError) return cause;
  return new ThawError(`${address}: ${(cause as Error).message}`, { cause });
}

function withAdvice(error: ThawError, artifact: Artifact): ThawError {
  if (!(error instanceof DamagedFileError)) return error;
  return new DamagedFileError(error.message, {
    hint: `replace that file by a good copy (${addressOf(artifact)}), or leave the mirror away`,
    cause: error,
  });
}

function addressOf({ url, packings }: Artifact): string {
  return url ?? packings.map(({ file }) => file).join(" or ");
}

function adviceFor(dataset: Supplied, artifact: Artifact): string {
  const ways = [
    ...(dataset.system ? [dataset.system.install] : []),
    `put a good copy of ${addressOf(artifact)} into a folder and give that as --mirror or THAW_MIRROR`,
  ];
  return ways.join("; or ");
}
