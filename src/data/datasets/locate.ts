import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { nearest, UsageError } from "../../errors.ts";
import { cacheHome } from "../../libtorch/home.ts";
import { isTemporary } from "../../platform/temporary.ts";
import { type CsvOptions, csvOptionsOf } from "../folders/csv-columns.ts";
import { listCsv } from "../folders/csv-list.ts";
import { extractArchive } from "../folders/extract.ts";
import { listImageFolder } from "../folders/image-folder.ts";
import type { Listing } from "../folders/listing.ts";
import { withManifest } from "../folders/manifest.ts";
import { type LoadedDataset, loadBuiltin } from "./load.ts";
import { type BuiltinDatasetName, builtinDatasets } from "./registry.ts";
import type { DatasetProgress } from "./sources.ts";
import { stanfordDogs } from "./stanford-dogs.ts";

/** Where data are, how they may be fetched and, of a CSV, how it is read. */
export interface DataLocation extends CsvOptions {
  /** A built-in name, or the path of a folder, an archive of one, or a CSV. */
  readonly data: string;
  /** Folder or http(s) address with the original archives; default `THAW_MIRROR`. */
  readonly mirror?: string | undefined;
  readonly onProgress?: ((progress: DatasetProgress) => void) | undefined;
  /** Folders that are called so are classes, even where they look like splits; others are still listed. */
  readonly classes?: readonly string[] | undefined;
  /** False: images of a prepared folder may be missing or changed, since the caller looks for each itself. Default true. */
  readonly requireWhole?: boolean | undefined;
  /** Default `cacheHome()`. */
  readonly cache?: string | undefined;
}

/** A source as it is, before any choice of classes or split. */
export type Source =
  | ({ readonly kind: "memory" } & LoadedDataset)
  | { readonly kind: "files"; readonly listing: Listing };

export const builtinDatasetNames: readonly string[] = [
  ...Object.keys(builtinDatasets),
  stanfordDogs.name,
];

/**
 * Finds a data set by name or path; fetches and unpacks it where that is needed. Images in files are
 * listed, not read.
 * @throws UsageError where there is no such thing; ThawError if no source has it whole.
 */
export async function locateData(location: DataLocation): Promise<Source> {
  const { data, onProgress, requireWhole } = location;
  const cache = location.cache ?? cacheHome();
  const options = {
    cacheFolder: join(cache, "datasets", data),
    mirror: location.mirror ?? (process.env["THAW_MIRROR"] || undefined),
    onProgress,
  };
  const isCsv = /\.[ct]sv$/i.test(data) && existsSync(data) && statSync(data).isFile();
  const csv = csvOptionsOf(location);
  if (csv !== undefined && !isCsv) {
    const [key] = Object.keys(csv) as [string];
    const flag = `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(`${flag}: --data ${data} is not a CSV`, { hint: "leave it out" });
  }
  if (isCsv) return { kind: "files", listing: listCsv(resolve(data), { ...csv, requireWhole }) };
  if (isBuiltin(data)) {
    return { kind: "memory", ...(await loadBuiltin(builtinDatasets[data], options)) };
  }
  if (data === stanfordDogs.name) {
    return { kind: "files", listing: await stanfordDogs.list({ ...options, cache }) };
  }
  if (!existsSync(data)) throw unknownData(data);
  return { kind: "files", listing: await listPath(data, cache, location) };
}

async function listPath(
  data: string,
  cache: string,
  { onProgress, classes, requireWhole }: Omit<DataLocation, "data" | "cache" | "mirror">,
): Promise<Listing> {
  const path = resolve(data);
  if (statSync(path).isDirectory()) {
    return withManifest(listImageFolder(path, { shown: data, classes }), { requireWhole });
  }
  if (isTemporary(basename(path))) {
    throw new UsageError(
      `--data ${data}: is an incomplete file, left by a Thaw command that was stopped`,
      { hint: "run that command again; this file can be deleted" },
    );
  }
  const packed = /\.(zip|tar|tgz|txz|tar\.gz|tar\.xz)$/i;
  if (!packed.test(path)) {
    throw new UsageError(`--data ${data}: is no folder, archive or CSV by its name`, {
      hint: "expected: a folder of class folders, a .zip, .tar, .tar.gz or .tar.xz of one, or a .csv or .tsv",
    });
  }
  const name = basename(path).replace(packed, "");
  const { folder, notes } = await extractArchive(path, cache, {
    onBytes: (received) =>
      onProgress?.({ phase: "unpack", file: basename(path), received, total: undefined }),
  });
  const found = listImageFolder(folder, { name, shown: data, classes });
  const listing = withManifest(found, { requireWhole });
  return { ...listing, notes: [...notes, ...listing.notes] };
}

function isBuiltin(name: string): name is BuiltinDatasetName {
  return Object.hasOwn(builtinDatasets, name);
}

function unknownData(data: string): UsageError {
  const known = builtinDatasetNames.join(", ");
  if (/^[.~]|[/\\]/.test(data)) {
    return new UsageError(`--data ${data}: there is no such file or folder`, {
      hint: `the built-in data sets are ${known}`,
    });
  }
  const near = nearest(data, builtinDatasetNames);
  return new UsageError(`--data ${data}: there is no such data set`, {
    hint: `${near === undefined ? "" : `did you mean ${near}? `}the built-in data sets are ${known}; a folder's path is meant too`,
  });
}
