import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ThawError } from "../../errors.ts";
import { withLock } from "../../libtorch/lock.ts";
import { removeAbandoned, temporaryPath } from "../../platform/temporary.ts";
import type { ImageSet } from "../imageset.ts";
import { contentSha256, type DecodedDataset, readDecoded, writeDecoded } from "./decoded-cache.ts";
import type { BuiltinDataset, NamedBytes } from "./registry.ts";
import { mirrorHasOfficial, obtainArtifact, type SourceOptions } from "./sources.ts";

/** A source's images before they are split. */
export interface LoadedDataset {
  readonly name: string;
  readonly train: ImageSet;
  readonly test: ImageSet;
  readonly contentSha256: string;
  readonly notes: readonly string[];
}

/**
 * Loads a built-in data set: decoded from Thaw's cache, else from the first source that has it, and
 * then into the cache.
 */
export async function loadBuiltin(
  dataset: BuiltinDataset,
  options: SourceOptions,
): Promise<LoadedDataset> {
  const path = join(options.cacheFolder, "decoded.thawdata");
  const cached = await usableDecoded(path, dataset, options);
  if (cached) return named(dataset, cached, []);
  const decode = async () => {
    const others = await usableDecoded(path, dataset, options);
    return others ? named(dataset, others, []) : decodeAndCache(path, dataset, options);
  };
  if (!isWritable(options.cacheFolder)) return decode();
  // Of several processes that start together, one fetches and the others then read the cache.
  return withLock(join(options.cacheFolder, "lock"), () => {
    removeAbandoned(options.cacheFolder, { isLocked: true });
    return decode();
  });
}

/** What the cache has, unless it is only a part and the mirror folder now has the whole. */
async function usableDecoded(
  path: string,
  dataset: BuiltinDataset,
  { mirror }: SourceOptions,
): Promise<DecodedDataset | undefined> {
  const decoded = readDecoded(path, dataset);
  if (decoded === undefined || isComplete(dataset, decoded)) return decoded;
  for (const artifact of dataset.artifacts) {
    if (await mirrorHasOfficial(dataset, artifact, mirror)) return undefined;
  }
  return decoded;
}

async function decodeAndCache(
  path: string,
  dataset: BuiltinDataset,
  options: SourceOptions,
): Promise<LoadedDataset> {
  const contents = new Map<string, NamedBytes>();
  const origins: string[] = [];
  for (const artifact of dataset.artifacts) {
    const obtained = await obtainArtifact(dataset, artifact, options);
    for (const [name, bytes] of obtained.contents) contents.set(name, bytes);
    origins.push(obtained.origin);
  }
  const { train, test } = dataset.decode((name) => {
    const content = contents.get(name);
    if (content === undefined) throw new ThawError(`${dataset.name}: no content ${name}`);
    return content;
  });
  const decoded = {
    train,
    test,
    origin: commonOrigin(origins),
    contentSha256: contentSha256(train, test),
  };
  try {
    await writeDecoded(path, dataset, decoded);
    return named(dataset, decoded, []);
  } catch (error) {
    // The data are there and whole: only the next start is slower.
    return named(dataset, decoded, [`warning: not kept in the cache: ${(error as Error).message}`]);
  }
}

function named(
  dataset: BuiltinDataset,
  decoded: DecodedDataset,
  notes: readonly string[],
): LoadedDataset {
  const { officialCounts } = dataset;
  const odd = (["train", "test"] as const)
    .filter((split) => decoded[split].count !== officialCounts[split])
    .map(
      (split) =>
        `this copy has ${decoded[split].count} of the ${officialCounts[split]} official ${split} images`,
    );
  return {
    name: dataset.name,
    train: decoded.train,
    test: decoded.test,
    contentSha256: decoded.contentSha256,
    notes: [`${dataset.title} from ${decoded.origin}`, ...odd, ...notes],
  };
}

function isComplete({ officialCounts }: BuiltinDataset, { train, test }: DecodedDataset): boolean {
  return train.count === officialCounts.train && test.count === officialCounts.test;
}

/** One file as it is, several by the folder they share. */
function commonOrigin(origins: readonly string[]): string {
  if (origins.length === 1) return origins[0]!;
  const folders = new Set(origins.map((origin) => origin.replace(/[/\\][^/\\]*$/, "")));
  return [...folders].join(" and ");
}

/** Tried, not asked: a full disk and a read-only one both say no only when written to. */
function isWritable(folder: string): boolean {
  const probe = temporaryPath(join(folder, "probe"));
  try {
    mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(probe, "x");
    } finally {
      rmSync(probe, { force: true });
    }
    return true;
  } catch {
    return false;
  }
}
