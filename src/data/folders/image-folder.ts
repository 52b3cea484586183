import { basename, join } from "node:path";
import { allOf, type FolderTree, readFolderTree } from "./folder-tree.ts";
import { findLayout, type Layout } from "./layout.ts";
import { LeftOver } from "./left-over.ts";
import { type ListedFile, type Listing, makeListing, type PassedOver } from "./listing.ts";
import { MANIFEST, readManifest } from "./manifest.ts";
import { someOf } from "./names.ts";
import { pathIn } from "./not-classes.ts";
import { JOURNAL, refuseUnfinished } from "./unfinished.ts";

export interface ImageFolderOptions {
  /** Of the data set; default the folder's. */
  readonly name?: string;
  /** What the user calls the folder: of an archive, its path. Default: the folder. */
  readonly shown?: string;
  /** `--classes`: folders that are called so are classes, even where they look like splits. */
  readonly classes?: readonly string[] | undefined;
}

/**
 * Lists an ImageFolder as torchvision reads one: a folder a class, images anywhere below it, with or without folders of
 * splits above the classes. What lies there and is not used is counted and named in the notes.
 * @throws UsageError where no folder is a class, where what would be classes are splits or pieces, and for two folders of
 * one split; ThawError for a folder that `thaw data prepare` has not finished.
 */
export function listImageFolder(folder: string, options: ImageFolderOptions = {}): Listing {
  const { name = basename(folder), shown = folder, classes } = options;
  refuseUnfinished(folder, shown);
  const tree = readFolderTree(folder);
  for (const { path, others } of allOf(tree)) {
    if (others.some((file) => file.name === JOURNAL)) refuseUnfinished(join(folder, path));
  }
  const tables = tablesIn(tree);
  const isPrepared = ({ path, others }: FolderTree) =>
    others.some((file) => file.name === MANIFEST) && readManifest(join(folder, path)) !== undefined;
  const layout = findLayout(tree, { shown, classes, tables, isPrepared });
  const root = join(folder, layout.root.path);
  const found = classesOf(layout, root);
  const left = new LeftOver(tree, layout, { folder, isPrepared: isPrepared(layout.root) });
  const notes = [...layout.notes, ...noImagesNote(found.noClasses), ...left.notes()];
  const { files, passedOver } = found;
  const place = pathIn(shown, layout.root.path);
  return {
    ...makeListing({ name, root, files, passedOver, notes }, found.classes),
    layout: { place, tables },
  };
}

interface Found {
  readonly classes: ReadonlySet<string>;
  readonly files: readonly ListedFile[];
  readonly passedOver: readonly PassedOver[];
  /** Folders with files of which none is an image. */
  readonly noClasses: readonly string[];
}

function classesOf({ root, groups }: Layout, absolute: string): Found {
  const classes = new Set<string>();
  const noClasses = new Set<string>();
  const files: ListedFile[] = [];
  const passedOver: PassedOver[] = [];
  for (const { split, folder } of groups) {
    if (folder.unreadable) throw folder.unreadable;
    for (const inner of folder.folders) {
      const of = { className: inner.name, ...(split && { split }) };
      if (inner.imageCount === 0 && hasFiles(inner)) noClasses.add(inner.name);
      else classes.add(inner.name);
      for (const { path, images, others, unreadable } of allOf(inner)) {
        if (unreadable) throw unreadable;
        const below = root.path === "" ? path : path.slice(root.path.length + 1);
        const at = (name: string) => ({
          path: join(absolute, below, name),
          name: `${below}/${name}`,
          ...of,
        });
        for (const name of images) files.push(at(name));
        for (const { name, why } of others) passedOver.push({ ...at(name), why });
      }
    }
  }
  for (const name of classes) noClasses.delete(name);
  return {
    classes,
    files,
    passedOver: passedOver.filter(({ className }) => classes.has(className)),
    noClasses: [...noClasses],
  };
}

/** Hidden files do not count: an empty folder is often kept by one. */
function hasFiles(folder: FolderTree): boolean {
  for (const { others } of allOf(folder)) {
    if (others.some(({ name }) => !name.startsWith("."))) return true;
  }
  return false;
}

function noImagesNote(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const slashed = someOf(names.map((name) => `${name}/`));
  return [`warning: folders without any image are not classes: ${slashed}`];
}

/** How far down tables of labels are looked for, and how many are named. */
const TABLE_DEPTH = 3;
const MAX_TABLES = 5;

/** CSV files near the top: where the folders have no classes, they may have the labels. */
function tablesIn(tree: FolderTree): string[] {
  const tables: string[] = [];
  const visit = ({ path, others, folders }: FolderTree, depth: number): void => {
    for (const { name } of others) {
      if (/^[^.].*\.[ct]sv$/i.test(name)) tables.push(path === "" ? name : `${path}/${name}`);
    }
    if (depth < TABLE_DEPTH) for (const folder of folders) visit(folder, depth + 1);
  };
  visit(tree, 1);
  return tables.slice(0, MAX_TABLES);
}
