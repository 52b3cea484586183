import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ThawError } from "../../errors.ts";
import {
  inOrder,
  isSorted,
  type ListedFile,
  type Listing,
  makeListing,
  type SplitName,
} from "./listing.ts";
import { someOf } from "./names.ts";

export const MANIFEST = "manifest.json";
/** The files that `thaw data prepare` set aside, with the reasons. */
export const REJECTED = "rejected.csv";

const schema = z.object({
  format: z.literal("thaw prepared images 1"),
  /** Changes with whatever the folder was made from and how. */
  key: z.string(),
  source: z.string(),
  seed: z.int(),
  split: z.tuple([z.number(), z.number(), z.number()]).nullable(),
  minSize: z.int(),
  /** In the order of a model's outputs. */
  classes: z.array(z.string()),
  rejected: z.int(),
  files: z.array(
    z.object({
      /** Below the folder: `train/beagle/1.jpg`. */
      file: z.string(),
      className: z.string(),
      /** In the source. */
      from: z.string(),
      sha256: z.string(),
      bytes: z.int(),
      width: z.int(),
      height: z.int(),
    }),
  ),
});

/** What `thaw data prepare` and `thaw data pack` write beside the images. */
export type Manifest = z.infer<typeof schema>;

/** The folder's manifest, or undefined where there is none, or another program's. */
export function readManifest(folder: string): Manifest | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, MANIFEST), "utf8");
  } catch {
    return undefined;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Holds a folder that was prepared against its manifest, stamps its files with their sha256, and calls its classes as
 * they were called: a folder's name has not every letter.
 * @throws ThawError where prepared images are missing or of another size, unless `requireWhole` is false.
 */
export function withManifest(
  found: Listing,
  { requireWhole = true }: { readonly requireWhole?: boolean | undefined } = {},
): Listing {
  const manifest = readManifest(found.root);
  if (manifest === undefined) return found;
  const named = withClassNames({ ...found, isFixed: true }, manifest);
  const listing = inOrder(named, orderOf(manifest, named.classes));
  const known = new Map(manifest.files.map((entry) => [entry.file, entry]));
  const unknown: string[] = [];
  const changed: string[] = [];
  const files = listing.files.map((file): ListedFile => {
    const entry = known.get(file.name);
    known.delete(file.name);
    if (entry === undefined) unknown.push(file.name);
    else if (statSync(file.path).size !== entry.bytes) {
      changed.push(file.name);
      return file;
    }
    return entry === undefined ? file : { ...file, stamp: `sha256:${entry.sha256}` };
  });
  const fail = (names: readonly string[], what: string) => {
    if (names.length === 0) return;
    throw new ThawError(
      `${listing.root}: ${names.length} prepared ${names.length === 1 ? "image" : "images"} ${what}: ${someOf(names)}`,
      {
        hint: `prepare the folder again, or delete its ${MANIFEST} to use it as it is`,
      },
    );
  };
  if (requireWhole) {
    fail([...known.keys()], "missing");
    fail(changed, "changed");
  }
  if (unknown.length === 0) return { ...listing, files };
  const note = `warning: ${unknown.length} images are not in ${MANIFEST}: ${someOf(unknown)}`;
  return { ...listing, files, notes: [...listing.notes, note] };
}

/** The classes in the manifest's order; without one of its own, or for classes that were added since, by code point. */
function orderOf({ classes: given }: Manifest, found: readonly string[]): readonly string[] {
  if (isSorted(given)) return found;
  const first = given.filter((name) => found.includes(name));
  return [...first, ...found.filter((name) => !first.includes(name))];
}

/** The listing with the manifest's class names in place of folders'. */
function withClassNames(listing: Listing, { files }: Manifest): Listing {
  const nameOf = new Map(files.map(({ file, className }) => [file.split("/")[1], className]));
  if ([...nameOf].every(([folder, name]) => folder === name)) return listing;
  const named = (folder: string) => nameOf.get(folder) ?? folder;
  const renamed = <F extends ListedFile>(all: readonly F[]): F[] =>
    all.map((file) => ({ ...file, className: named(file.className) }));
  const { passedOver, classes } = listing;
  return makeListing(
    { ...listing, files: renamed(listing.files), passedOver: renamed(passedOver) },
    classes.map(named),
  );
}

/** train, val, test: the order in which people read them. */
export const splitOrder: readonly SplitName[] = ["train", "val", "test"];
