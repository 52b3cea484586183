import { createHash } from "node:crypto";
import { type ImageSet, imageBytes } from "../imageset.ts";
import { readSealed, writeSealed } from "../sealed.ts";
import type { BuiltinDataset } from "./registry.ts";

/** A data set as its source has it, before any split. */
export interface DecodedDataset {
  readonly train: ImageSet;
  readonly test: ImageSet;
  /** For people: where it came from. */
  readonly origin: string;
  /** sha256 over training pixels and labels, then test pixels and labels. */
  readonly contentSha256: string;
}

interface Header {
  readonly recipe: string;
  readonly origin: string;
  readonly contentSha256: string;
  readonly trainCount: number;
  readonly testCount: number;
}

export function contentSha256(train: ImageSet, test: ImageSet): string {
  const hash = createHash("sha256");
  for (const part of payloadOf(train, test)) hash.update(part);
  return hash.digest("hex");
}

/**
 * The data set from its cache file, or undefined where there is none, it is damaged, or it was made
 * by another recipe (another version of the registry). Never throws: the sources are still there.
 */
export function readDecoded(path: string, dataset: BuiltinDataset): DecodedDataset | undefined {
  const { officialCounts } = dataset;
  const mostImages = officialCounts.train + officialCounts.test;
  const sealed = readSealed(path, mostImages * (imageBytes(dataset) + 1));
  if (sealed === undefined) return undefined;
  const header = sealed.header as Header;
  if (header.recipe !== recipeOf(dataset)) return undefined;
  const { payload } = sealed;
  let at = 0;
  const take = (length: number): Uint8Array => {
    at += length;
    return payload.subarray(at - length, at);
  };
  const takeSet = (count: number): ImageSet => ({
    images: take(count * imageBytes(dataset)),
    labels: take(count),
    count,
    channels: dataset.channels,
    height: dataset.height,
    width: dataset.width,
    classes: dataset.classes,
  });
  const train = takeSet(header.trainCount);
  const test = takeSet(header.testCount);
  if (at !== payload.length) return undefined;
  return { train, test, origin: header.origin, contentSha256: header.contentSha256 };
}

/** Writes the cache file, whole or not at all. */
export async function writeDecoded(
  path: string,
  dataset: BuiltinDataset,
  decoded: DecodedDataset,
): Promise<void> {
  const header: Header = {
    recipe: recipeOf(dataset),
    origin: decoded.origin,
    contentSha256: decoded.contentSha256,
    trainCount: decoded.train.count,
    testCount: decoded.test.count,
  };
  await writeSealed(path, header, payloadOf(decoded.train, decoded.test));
}

function payloadOf(train: ImageSet, test: ImageSet): Uint8Array[] {
  return [train.images, asBytes(train), test.images, asBytes(test)];
}

function asBytes({ labels }: ImageSet): Uint8Array {
  return labels instanceof Uint8Array ? labels : Uint8Array.from(labels);
}

/** Changes with whatever the decoded bytes depend on. */
function recipeOf({ name, channels, height, width, classes, artifacts }: BuiltinDataset): string {
  const checksums = artifacts.map(({ contents }) => contents);
  const text = JSON.stringify([1, name, channels, height, width, classes, checksums]);
  return createHash("sha256").update(text).digest("hex");
}
