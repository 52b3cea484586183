import { type FolderTree, holdsFolders, withImages } from "./folder-tree.ts";
import type { SplitName } from "./listing.ts";
import { splitOrder } from "./manifest.ts";
import { someOf } from "./names.ts";
import { mixedNotes, noClasses, refuseNotClasses, type Shown, twoFolders } from "./not-classes.ts";
import {
  isContainerName,
  isDescriptionName,
  isPartName,
  isUnlabelledName,
  type SplitFolderName,
  splitFolderName,
} from "./split-names.ts";

/** Where in a folder the classes are. */
export interface Layout {
  /** Names of files are from here. */
  readonly root: FolderTree;
  /** Folders whose own folders are the classes: one a split, or one without. */
  readonly groups: readonly { readonly split?: SplitName; readonly folder: FolderTree }[];
  /** Folders with images that no class is known of. */
  readonly unlabelled: readonly FolderTree[];
  /** Folders that are no part of the data. */
  readonly unused: readonly FolderTree[];
  readonly notes: readonly string[];
}

export interface LayoutOptions extends Shown {
  /** `--classes`: folders that are called so are classes, whatever their names look like. */
  readonly classes?: readonly string[] | undefined;
  /** True of a folder that has a manifest, which Thaw made: its classes may be called anything. */
  readonly isPrepared: (folder: FolderTree) => boolean;
}

/** How far folders are followed inwards: archives often hold everything in one. */
const MAX_WRAPPERS = 8;

/**
 * Finds the folders of splits and of classes by their names and by what lies in them.
 * @throws UsageError where what would be classes are splits, pieces or files of another kind.
 */
export function findLayout(top: FolderTree, options: LayoutOptions): Layout {
  let root = top;
  const unused: FolderTree[] = [];
  for (let depth = 0; depth < MAX_WRAPPERS; depth++) {
    if (options.isPrepared(root)) return { ...preparedLayout(root), unused };
    const splits = splitsIn(root, options);
    if (splits !== undefined) {
      return { ...splits, root, unused: [...unused, ...splits.unused] };
    }
    const inner = namesClasses(root, options) ? undefined : innerOf(root, options);
    if (inner === undefined) break;
    unused.push(...withImages(root).filter((folder) => folder !== inner));
    root = inner;
  }
  const found = withImages(root);
  const isUnlabelled = ({ name }: FolderTree) => isUnlabelledName(name);
  const named = namesClasses(root, options);
  const unlabelled =
    named || found.every(({ name }) => isPartName(name)) ? [] : found.filter(isUnlabelled);
  const folder = without(root, unlabelled);
  const notes = named ? mixedNotes(folder) : refuseNotClasses(folder, options);
  return { root, groups: [{ folder }], unlabelled, unused, notes };
}

/** `train/<class>`, `val/<class>`, `test/<class>`, whatever the classes are called. */
function preparedLayout(root: FolderTree): Omit<Layout, "unused"> {
  const groups = splitOrder.flatMap((split) => {
    const folder = root.folders.find(({ name }) => name === split);
    return folder === undefined ? [] : [{ split, folder }];
  });
  const hasVal = groups.some(({ split, folder }) => split === "val" && folder.imageCount > 0);
  const notes = hasVal ? ["validation images are those in val/"] : [];
  return { root, groups, unlabelled: [], notes };
}

/** The one folder that everything lies in, or the one of the images beside those that describe them. */
function innerOf(root: FolderTree, options: LayoutOptions): FolderTree | undefined {
  const found = withImages(root);
  const lone = found.length === 1 ? found[0] : undefined;
  // The one class of a folder with a single class is no wrapper.
  if (lone !== undefined) return holdsFolders(lone) ? lone : undefined;
  const [container, ...more] = found.filter(({ name }) => isContainerName(name));
  if (container === undefined || more.length > 0) return undefined;
  const others = found.filter((folder) => folder !== container);
  const areDescriptions = others.every(({ name }) => isDescriptionName(name));
  if (areDescriptions && holdsFolders(container)) return container;
  throw noClasses(
    root,
    `${container.name}/ lies beside ${slashed(others)}, and has ${holdsFolders(container) ? "folders" : "no class folders"}`,
    options,
  );
}

interface Candidate extends SplitFolderName {
  readonly folder: FolderTree;
  /** With the class folders right inside; undefined where it has none. */
  readonly inner: FolderTree | undefined;
}

type Splits = Omit<Layout, "root">;

/** Undefined where there is no folder of training images in classes. */
function splitsIn(root: FolderTree, options: LayoutOptions): Splits | undefined {
  const all = candidatesIn(root);
  const trains = all.filter(({ split, inner }) => split === "train" && inner !== undefined);
  // A train folder alone is all of the data, whatever it is called.
  const isAlone = withImages(root).length === 1;
  const areClasses = namesClasses(root, options) && namesAnyOf(all, options);
  if (trains.length === 0 || isAlone || areClasses) return undefined;
  const train =
    trains.find(({ rest }) => rest === "") ??
    trains.find(({ rest }) => all.some((other) => other.rest === rest && other.split !== "train"));
  if (train === undefined) return undefined;
  const own = all.filter(({ rest }) => rest === train.rest || rest === "");
  refuseTrainAmongClasses(root, train, own, options);

  const groups: { split: SplitName; folder: FolderTree }[] = [];
  const notes: string[] = [];
  for (const split of splitOrder) {
    const [one, other] = own.filter((of) => of.split === split && of.inner !== undefined);
    if (one === undefined) continue;
    if (other !== undefined) {
      throw twoFolders(root, [one.folder.name, other.folder.name], split, options);
    }
    const folder = one.inner!;
    if (!namesClasses(folder, options)) {
      notes.push(...refuseNotClasses(folder, options, split));
    }
    groups.push({ split, folder });
    if (split === "val") notes.push(`validation images are those in ${one.folder.name}/`);
    else if (!/^(train|test)$/i.test(one.folder.name)) {
      const what = split === "train" ? "training" : "test";
      notes.push(`${what} images are those in ${one.folder.name}/`);
    }
  }
  const isUsed = (folder: FolderTree) =>
    own.some((of) => of.folder === folder && of.inner !== undefined);
  const left = root.folders.filter((folder) => !isUsed(folder));
  const isUnlabelled = (folder: FolderTree) =>
    isUnlabelledName(folder.name) || own.some((of) => of.folder === folder);
  const unlabelled = left.filter((folder) => folder.imageCount > 0 && isUnlabelled(folder));
  const unused = left.filter((folder) => !unlabelled.includes(folder));
  // Training images alone are not split yet.
  const isSplit = groups.length > 1;
  return {
    groups: isSplit ? groups : groups.map(({ folder }) => ({ folder })),
    unlabelled,
    unused,
    notes,
  };
}

/** The folders that are called like a split, those of training images first. */
function candidatesIn(root: FolderTree): Candidate[] {
  const named = root.folders.flatMap((folder) => {
    const name = splitFolderName(folder.name);
    if (name !== undefined && folder.unreadable) throw folder.unreadable;
    return name === undefined ? [] : [{ ...name, folder }];
  });
  const known: Known = { wrappers: new Set(), classes: new Set() };
  return [...named]
    .sort((a, b) => Number(b.split === "train") - Number(a.split === "train"))
    .map((one) => {
      const inner = classesIn(one.folder, one.split, known);
      if (one.split === "train")
        for (const { name } of inner?.folders ?? []) known.classes.add(name);
      return { ...one, inner };
    });
}

/** What the training split has, by which those of the other splits are known. */
interface Known {
  /** Folders that everything of a split lies in. */
  readonly wrappers: Set<string>;
  readonly classes: Set<string>;
}

/**
 * The folder whose folders are the classes of a split: often one further in, as in `seg_train/seg_train/`. Undefined
 * where the images have no classes, as those of `test/images/`.
 */
function classesIn(
  folder: FolderTree,
  split: SplitName,
  { wrappers, classes }: Known,
): FolderTree | undefined {
  let at = folder;
  for (let depth = 0; depth < MAX_WRAPPERS; depth++) {
    const [lone, ...more] = withImages(at);
    if (lone === undefined) return undefined;
    if (more.length > 0) return at;
    if (classes.has(lone.name)) return at;
    const isGeneric = isPartName(lone.name) || lone.name === folder.name;
    if (!holdsFolders(lone)) {
      const isClass = !isGeneric && !/^unknown$/i.test(lone.name);
      return isClass && holdsFolders(at) ? at : undefined;
    }
    // One class is nothing to train on, but may be all that is tested.
    if (split === "train") wrappers.add(lone.name);
    else if (!isGeneric && !wrappers.has(lone.name)) return at;
    at = lone;
  }
  return at;
}

/** Vehicles are sorted into `bus/`, `car/` and `train/`, too. */
function refuseTrainAmongClasses(
  root: FolderTree,
  train: Candidate,
  own: readonly Candidate[],
  options: LayoutOptions,
): void {
  const isOnly = own.every(({ split, folder }) => split === "train" || folder.imageCount === 0);
  const classes = withImages(root).filter(
    (folder) => !holdsFolders(folder) && !isPartName(folder.name),
  );
  if (!isOnly || !train.isBare || classes.length < 2) return;
  throw noClasses(
    root,
    `${train.folder.name}/ could be the training images, or a class like ${slashed(classes)}`,
    options,
    ["to train on it alone, give its own path as --data"],
  );
}

/** Does `--classes` name all of its classes among these folders? */
function namesClasses({ folders }: FolderTree, { classes }: LayoutOptions): boolean {
  const own = new Set(folders.map(({ name }) => name.toLowerCase()));
  return classes?.every((name) => own.has(name.trim().toLowerCase())) ?? false;
}

/** Does `--classes` name a folder that looks like one of a split? */
function namesAnyOf(splits: readonly Candidate[], { classes }: LayoutOptions): boolean {
  const names = new Set(splits.map(({ folder }) => folder.name.toLowerCase()));
  return classes?.some((name) => names.has(name.trim().toLowerCase())) ?? false;
}

function without(folder: FolderTree, left: readonly FolderTree[]): FolderTree {
  if (left.length === 0) return folder;
  return { ...folder, folders: folder.folders.filter((inner) => !left.includes(inner)) };
}

function slashed(folders: readonly FolderTree[]): string {
  return someOf(folders.map(({ name }) => `${name}/`));
}
