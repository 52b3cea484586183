import { createHash } from "node:crypto";
import { dirname, join, relative, sep } from "node:path";
import type { SplitSet } from "./imageset.ts";

/**
 * SHA-256 of what a model is judged on: the images in their order, each with the name of its class. Of images in files
 * their names below the folder they share count, and neither their times nor their place.
 */
export function imagesDigest(set: SplitSet): string {
  const hash = createHash("sha256");
  if ("files" in set) {
    for (const name of imageNames(set)!) hash.update(`${name}\n`);
  } else {
    hash.update(`${set.channels}x${set.height}x${set.width}\n`);
    hash.update(set.images);
  }
  const classes = set.classes.map((name) => JSON.stringify(name));
  hash.update(Array.from(set.labels, (label) => classes[label]!).join("\n"));
  return `sha256:${hash.digest("hex")}`;
}

/** Files below the folder that all of them share, with slashes; undefined of images in memory. */
export function imageNames(set: SplitSet): readonly string[] | undefined {
  if (!("files" in set) || set.files.length === 0) return undefined;
  let shared = dirname(set.files[0]!);
  for (const file of set.files) {
    while (!file.startsWith(shared + (shared.endsWith(sep) ? "" : sep))) {
      if (dirname(shared) === shared) return set.files;
      shared = dirname(shared);
    }
  }
  // One class alone: its folder is part of a name.
  if (set.classes.length > 0 && set.files.every((file) => dirname(file) === shared)) {
    shared = join(shared, "..");
  }
  return set.files.map((file) => relative(shared, file).split(sep).join("/"));
}
