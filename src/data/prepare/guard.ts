import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { UsageError } from "../../errors.ts";
import { isSorted, type Listing } from "../folders/listing.ts";
import type { Manifest } from "../folders/manifest.ts";
import { statStamp } from "../folders/stamp.ts";
import { JOURNAL } from "../folders/unfinished.ts";
import type { SplitShares } from "./assign.ts";
import { prepareError } from "./prepare-error.ts";

/** The options that the tree depends on. */
export interface TreeOptions {
  readonly seed: number;
  /** Undefined: the source's own. */
  readonly split: SplitShares | undefined;
  readonly minSize: number;
}

/** Changes with the files and with every option that the tree depends on. */
export function keyOf(
  { files, passedOver, classes, isFixed }: Listing,
  { seed, split, minSize }: TreeOptions,
): string {
  // 1 are splits drawn by the images' numbers, 2 by their names.
  const version = isFixed || split === undefined ? 1 : 2;
  const hash = createHash("sha256").update(JSON.stringify([version, seed, split ?? null, minSize]));
  for (const { name, className, split: own, path } of files) {
    hash.update(JSON.stringify([name, className, own ?? null, statStamp(path)]));
  }
  for (const { name, className, why } of passedOver)
    hash.update(JSON.stringify([name, className, why]));
  // Folders that were prepared when all orders were sorted keep their key.
  if (!isSorted(classes)) hash.update(JSON.stringify(classes));
  return hash.digest("hex");
}

/** The tree is no part of what it is made from. */
export function refuseNesting(root: string, out: string): void {
  const inside = (inner: string, outer: string) => {
    const path = relative(outer, inner);
    return path === "" || (path !== ".." && !path.startsWith(`..${sep}`));
  };
  if (inside(out, root) || inside(root, out)) {
    throw new UsageError(`--out ${out}: lies in the source ${root}, or the source in it`, {
      hint: "choose a folder beside it",
    });
  }
}

/** What is not ours is left alone. */
export function refuseForeign(out: string): void {
  if (!existsSync(out) || existsSync(join(out, JOURNAL))) return;
  let names: string[];
  try {
    names = readdirSync(out);
  } catch (cause) {
    throw prepareError(out, cause);
  }
  if (names.length === 0) return;
  throw new UsageError(`--out ${out}: is not empty, and nothing was prepared there`, {
    hint: "choose a new or an empty folder",
  });
}

export function preparedOtherwise(
  out: string,
  before: Manifest,
  listing: Listing,
  { seed, split, minSize }: TreeOptions,
): UsageError {
  const spoken = (shares: readonly number[] | null | undefined) =>
    shares ? shares.map((share) => Math.round(100 * share)).join("/") : "the source's";
  const differences = [
    ["source", before.source, listing.name],
    ["seed", before.seed, seed],
    ["split", spoken(before.split), spoken(split)],
    ["min-size", before.minSize, minSize],
    ["classes", before.classes.join(","), listing.classes.join(",")],
  ].flatMap(([name, old, now]) => (old === now ? [] : [`${name} ${old}, now ${now}`]));
  const what = differences.length > 0 ? differences.join("; ") : "the source's files have changed";
  return new UsageError(`--out ${out}: was prepared otherwise: ${what}`, {
    hint: "choose another folder, or replace this one with --overwrite",
  });
}
