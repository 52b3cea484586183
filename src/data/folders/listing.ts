import { uniteNames } from "../class-names.ts";
import type { FileImageSet } from "../fileset.ts";
import { byCodePoint } from "./names.ts";
import { statStamp } from "./stamp.ts";

export type SplitName = "train" | "val" | "test";

/** A file of a source, before anything has looked into it. */
export interface ListedFile {
  /** Absolute. */
  readonly path: string;
  /** Below the source's root, with forward slashes. */
  readonly name: string;
  readonly className: string;
  /** Absent where the source has no splits. */
  readonly split?: SplitName;
  /** `sha256:…` where a manifest knows it. */
  readonly stamp?: string;
}

/** What lies beside the images, and why it is not taken for one. */
export interface PassedOver extends ListedFile {
  readonly why: string;
}

/** The images of a folder, an archive or a list, by name alone. */
export interface Listing {
  /** For people. */
  readonly name: string;
  readonly root: string;
  /** Of all splits together, in the order that the user gave, else by code point; a class may be without images. */
  readonly classes: readonly string[];
  /** By class, then by name. */
  readonly files: readonly ListedFile[];
  readonly passedOver: readonly PassedOver[];
  readonly hasSplits: boolean;
  readonly notes: readonly string[];
  /**
   * Published, prepared or packed: its images stay the same, and are drawn by their number, as in earlier versions, so that
   * recorded results stay comparable. Other sources grow, and their images are drawn by name.
   */
  readonly isFixed?: true;
  /** Of a folder or archive: where the classes are, as the user calls it, and CSV files beside, which may have labels. */
  readonly layout?: { readonly place: string; readonly tables: readonly string[] };
}

/**
 * Sorts, and gathers the class list; `extraClasses` are those without any image. Names that mean one class become one,
 * with a note.
 */
export function makeListing(
  parts: Omit<Listing, "classes" | "hasSplits">,
  extraClasses: Iterable<string> = [],
): Listing {
  const counts = new Map([...extraClasses].map((name) => [name, 0]));
  for (const { className } of parts.files) counts.set(className, (counts.get(className) ?? 0) + 1);
  const { nameOf, notes } = uniteNames(counts);
  const united = <T extends ListedFile>(files: readonly T[]): readonly T[] =>
    nameOf.size === 0
      ? files
      : files.map((file) => ({ ...file, className: nameOf.get(file.className) ?? file.className }));
  return {
    ...parts,
    classes: [...counts.keys()].filter((name) => !nameOf.has(name)).sort(byCodePoint),
    files: [...united(parts.files)].sort(
      (a, b) => byCodePoint(a.className, b.className) || byCodePoint(a.name, b.name),
    ),
    passedOver: united(parts.passedOver),
    hasSplits: parts.files.some(({ split }) => split !== undefined),
    notes: [...parts.notes, ...notes],
  };
}

/** The listing with its classes in another order, which decides the order of a model's outputs and nothing else. */
export function inOrder(listing: Listing, classes: readonly string[]): Listing {
  return { ...listing, classes };
}

/** Are classes in the order that they have where the user gave none? */
export function isSorted(classes: readonly string[]): boolean {
  return classes.every((name, i) => i === 0 || byCodePoint(classes[i - 1]!, name) < 0);
}

/** The files of one split (undefined: of all), with their stamps. */
export function fileSet(listing: Listing, split?: SplitName): FileImageSet {
  const files = listing.files.filter((file) => split === undefined || file.split === split);
  const labelOf = new Map(listing.classes.map((name, label) => [name, label]));
  return {
    files: files.map(({ path }) => path),
    labels: Int32Array.from(files, ({ className }) => labelOf.get(className)!),
    count: files.length,
    classes: listing.classes,
    stamps: files.map(({ path, stamp }) => stamp ?? statStamp(path)),
    names: files.map(({ name }) => name),
  };
}
