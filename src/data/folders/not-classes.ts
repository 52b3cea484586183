import { UsageError } from "../../errors.ts";
import { type FolderTree, holdsFolders, withImages } from "./folder-tree.ts";
import type { SplitName } from "./listing.ts";
import { byCodePoint, someOf } from "./names.ts";
import { isContainerName, isPartName, pieceOf, splitFolderName } from "./split-names.ts";

/** How messages name a folder. */
export interface Shown {
  /** What the user gave as `--data`. */
  readonly shown: string;
  /** CSV files and the like that lie beside the images, from the user's own folder. */
  readonly tables: readonly string[];
}

/**
 * Refuses folders of which at least one is no class by its name or by what lies in it: splits, pieces, folders of other
 * things. Gives notes of names that look like a split's and are taken for classes.
 * `split`: these folders lie in one of a split already.
 * @throws UsageError with the names, and what to do.
 */
export function refuseNotClasses(
  root: FolderTree,
  shown: Shown,
  split?: SplitName,
): readonly string[] {
  for (const { unreadable } of root.folders) if (unreadable) throw unreadable;
  const found = withImages(root);
  if (found.length === 0) throw noImages(root, shown);
  const names = found.map(({ name }) => name);
  const slashed = someOf(names.map((name) => `${name}/`));
  const [only] = found as [FolderTree];
  if (found.length === 1) {
    if (split !== undefined || !isPartName(only.name)) return [];
    throw noClasses(root, `${only.name}/ holds ${countOf(only.imageCount)}, but no classes`, shown);
  }
  const splits = found.flatMap((folder) => {
    const named = splitFolderName(folder.name);
    return named === undefined ? [] : [{ ...named, folder }];
  });
  if (new Set(splits.map((of) => of.split)).size > 1) {
    const without = splits.some((of) => of.split === "train")
      ? "no class folders for training"
      : "no train folder";
    const folders = splits.map(({ folder }) => folder.name).join(" and ");
    throw noClasses(root, `has ${folders}, but ${without}`, shown, [
      "put the training images into train/<class>/, or give one of the folders itself as --data",
    ]);
  }
  if (names.every(isPartName)) {
    throw noClasses(root, `${slashed} look like parts of a data set, not classes`, shown);
  }
  const pieces = new Set(names.map(pieceOf));
  if (pieces.size === 1 && !pieces.has(undefined)) {
    throw noClasses(root, `${slashed} look like pieces of a data set, not classes`, shown);
  }
  const notes = refuseSameFolders(root, found, shown);
  for (const { folder, rest, isBare } of split === undefined ? splits : []) {
    const plain = found.filter(({ name }) => !isPartName(name)).length;
    const isClass = isBare
      ? plain > (splitFolderName(folder.name)!.split === "train" ? 1 : 0)
      : rest !== "";
    if (holdsFolders(folder) || !isClass) {
      throw noClasses(
        root,
        `${folder.name}/ looks like a split, but lies beside ${slashed}`,
        shown,
      );
    }
    const warning = isBare ? "warning: " : "";
    notes.push(`${warning}${folder.name}/ is treated as a class, not as a split`);
  }
  return notes;
}

/** fold1/cat, fold1/dog, fold2/cat, …: the classes are one level further in. */
function refuseSameFolders(root: FolderTree, found: readonly FolderTree[], shown: Shown): string[] {
  const { outer, inside, names, isOneEach } = sameFolders(found);
  if (inside.length === 0) return [];
  // Every class has its images one level further in: cat/images/1.jpg, dog/images/1.jpg.
  if (isOneEach && inside.every(isContainerName)) return [];
  if (isOneEach && names === 1) {
    return [`the images of ${someOf(outer)} lie in folders called ${inside[0]!}`];
  }
  const areSplits = inside.some((name) => splitFolderName(name) !== undefined);
  const slashed = someOf(outer.map((name) => `${name}/`));
  throw noClasses(
    root,
    `${slashed} contain folders with the same names: ${someOf(inside)}`,
    shown,
    [
      areSplits
        ? "splits come above classes: move the images to train/<class>/, test/<class>/"
        : `if ${inside[0]} is a class, give one of the folders as --data, or merge them into ${inside[0]}/, …`,
    ],
  );
}

/** What is said of folders of the same names inside classes that the user has named. */
export function mixedNotes(root: FolderTree): string[] {
  const { outer, inside, isOneEach } = sameFolders(withImages(root));
  if (inside.length === 0 || isOneEach) return [];
  return [
    `warning: ${someOf(outer)} contain folders with the same names (${someOf(inside)}): all of their images are used together`,
  ];
}

interface SameFolders {
  /** Folders that share names of folders inside. */
  readonly outer: readonly string[];
  /** The names that they share, in small letters. */
  readonly inside: readonly string[];
  /** How many different names there are, shared or not. */
  readonly names: number;
  /** True where each has a single folder inside. */
  readonly isOneEach: boolean;
}

function sameFolders(found: readonly FolderTree[]): SameFolders {
  const holders = new Map<string, string[]>();
  const folders = found.filter(holdsFolders);
  for (const folder of folders) {
    for (const { name } of withImages(folder)) {
      const key = name.normalize("NFC").toLowerCase();
      holders.set(key, [...(holders.get(key) ?? []), folder.name]);
    }
  }
  const shared = [...holders].filter(([, names]) => names.length > 1);
  return {
    outer: [...new Set(shared.flatMap(([, names]) => names))].sort(byCodePoint),
    inside: shared.map(([name]) => name).sort(byCodePoint),
    names: holders.size,
    isOneEach: folders.every((folder) => withImages(folder).length === 1),
  };
}

/** @returns the error for folders that are no classes: what is wrong with them, and all ways on. */
export function noClasses(
  root: FolderTree,
  what: string,
  { shown, tables }: Shown,
  first: readonly string[] = [],
): UsageError {
  const classes = withImages(root).map(({ name }) => name);
  const ways = [...first];
  if (tables.length > 0) {
    const [table] = tables;
    ways.push(`if ${someOf(tables)} has the labels, give --data ${pathIn(shown, table!)}`);
  }
  if (first.length === 0) {
    ways.push("put the images into a folder for each class, such as train/cat/1.jpg");
  }
  if (tables.length === 0) ways.push("or list them in a CSV of path,label");
  if (classes.length > 1) {
    ways.push(
      `if these folders are the classes, use --classes ${someOf(classes).replaceAll(", ", ",")}`,
    );
  }
  return new UsageError(`--data ${pathIn(shown, root.path)}: ${what}`, { hint: ways.join("; ") });
}

/** For a folder without any folder of images. */
function noImages(root: FolderTree, shown: Shown): UsageError {
  const count = root.images.length;
  const what =
    count === 0 ? "holds no folders of images" : `holds ${countOf(count)}, but no classes`;
  return noClasses(root, what, shown, [
    "put the images into a folder for each class, such as photos/cat/1.jpg",
    ...(count > 0 ? ["to label them with a trained model, use `thaw predict`"] : []),
  ]);
}

export function twoFolders(
  root: FolderTree,
  [one, other]: readonly [string, string],
  split: SplitName,
  { shown }: Shown,
): UsageError {
  return new UsageError(
    `--data ${pathIn(shown, root.path)}: both ${one} and ${other} could be the ${split} split`,
    { hint: "rename or move one of them" },
  );
}

/** "1 image", "2,000 images" */
export function countOf(count: number): string {
  return count === 1 ? "1 image" : `${count.toLocaleString("en")} images`;
}

/** A path below what the user gave. */
export function pathIn(shown: string, path: string): string {
  return path === "" ? shown : `${shown.replace(/\/+$/, "")}/${path}`;
}
