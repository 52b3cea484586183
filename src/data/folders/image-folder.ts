import { type Dirent, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UsageError } from "../../errors.ts";
import {
  type ListedFile,
  type Listing,
  makeListing,
  type PassedOver,
  type SplitName,
} from "./listing.ts";
import { byCodePoint, isHidden, isImageName, refuseUndecodable, someOf } from "./names.ts";

const splitFolders: Readonly<Record<string, SplitName>> = {
  train: "train",
  val: "val",
  valid: "val",
  validation: "val",
  test: "test",
};

/** How far a lone folder is followed inwards: archives often hold everything in one. */
const MAX_WRAPPERS = 8;

/**
 * Lists an ImageFolder as torchvision reads one: a folder a class, images anywhere below it, with or
 * without folders of splits above the classes. What is hidden is passed over and said.
 * @throws UsageError where there are no classes, or two validation folders.
 */
export function listImageFolder(folder: string, name = basename(folder)): Listing {
  const root = innermost(folder);
  const found = new Findings(root);
  const folders = subfolders(root, found);
  const splits = splitsAmong(root, folders, found);
  if (splits.size === 0) {
    for (const className of folders) found.addClass(className, className, undefined);
  } else {
    for (const [split, splitFolder] of splits) {
      for (const className of subfolders(join(root, splitFolder), found)) {
        found.addClass(`${splitFolder}/${className}`, className, split);
      }
    }
  }
  if (found.classes.size === 0) throw withoutClasses(folder, root);
  return makeListing({ name, root, ...found.result() }, found.classes);
}

/** Steps into folders that hold one folder and nothing else. */
function innermost(folder: string): string {
  let root = folder;
  for (let depth = 0; depth < MAX_WRAPPERS; depth++) {
    const visible = entries(root).filter(({ name }) => !isHidden(name));
    const folders = visible.filter((entry) => isFolder(root, entry));
    const lone = folders[0];
    const others = visible.some(({ name }) => isImageName(name) && name !== lone?.name);
    if (folders.length !== 1 || others) return root;
    const inner = join(root, lone!.name);
    const deeper = entries(inner).some((entry) => !isHidden(entry.name) && isFolder(inner, entry));
    // The one class of a folder with a single class is no wrapper.
    if (!deeper) return root;
    root = inner;
  }
  return root;
}

function splitsAmong(
  root: string,
  folders: readonly string[],
  found: Findings,
): Map<SplitName, string> {
  const splits = new Map<SplitName, string>();
  const named = folders.filter((name) => splitOf(name) !== undefined);
  // Classes may well be called "test" or "val": without training images there are no splits.
  if (!named.some((name) => splitOf(name) === "train")) {
    if (named.length > 1 && named.length === folders.length) {
      throw new UsageError(`${root}: has ${named.join(" and ")}, but no train folder`, {
        hint: "put the training images into train/<class>/, or name one of the folders itself",
      });
    }
    return splits;
  }
  for (const name of named) {
    const split = splitOf(name)!;
    const before = splits.get(split);
    if (before !== undefined) {
      throw new UsageError(`${root}: both ${before} and ${name} could be the ${split} split`, {
        hint: "rename or move one of them",
      });
    }
    splits.set(split, name);
  }
  const validation = splits.get("val");
  if (validation !== undefined) found.notes.push(`validation images are those in ${validation}/`);
  const others = folders.filter((name) => splitOf(name) === undefined);
  if (others.length > 0) {
    found.notes.push(
      `warning: beside the splits, and not used: ${someOf(others.map((other) => `${other}/`))}`,
    );
  }
  return splits;
}

function splitOf(folder: string): SplitName | undefined {
  const name = folder.toLowerCase();
  return Object.hasOwn(splitFolders, name) ? splitFolders[name] : undefined;
}

/** Visible folders, sorted by code point; hidden ones are remembered. */
function subfolders(folder: string, found: Findings): string[] {
  const names: string[] = [];
  for (const entry of entries(folder)) {
    if (!isFolder(folder, entry)) continue;
    if (isHidden(entry.name)) found.hiddenFolders.push(entry.name);
    else names.push(entry.name);
  }
  return names.sort(byCodePoint);
}

/** What a walk through a folder has come across. */
class Findings {
  readonly classes = new Set<string>();
  readonly hiddenFolders: string[] = [];
  readonly notes: string[] = [];
  readonly #root: string;
  readonly #files: ListedFile[] = [];
  readonly #passedOver: PassedOver[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  /** All below `folder` (from the root, with slashes), which holds images of a class. */
  addClass(folder: string, className: string, split: SplitName | undefined): void {
    this.classes.add(className);
    this.#walk(folder, { className, ...(split && { split }) }, new Set());
  }

  result(): Pick<Listing, "files" | "passedOver" | "notes"> {
    const notes = [...this.notes];
    if (this.hiddenFolders.length > 0) {
      const names = [...new Set(this.hiddenFolders)].sort(byCodePoint);
      notes.push(`hidden folders are passed over: ${someOf(names)}`);
    }
    const others = this.#passedOver.map(({ name }) => name).sort(byCodePoint);
    if (others.length > 0) notes.push(`${others.length} files are no images: ${someOf(others)}`);
    return { files: this.#files, passedOver: this.#passedOver, notes };
  }

  /** `above` are the folders that led here: a link may lead back to one. */
  #walk(
    folder: string,
    of: Pick<ListedFile, "className" | "split">,
    above: ReadonlySet<string>,
  ): void {
    const absolute = join(this.#root, folder);
    const real = realpathSync(absolute);
    if (above.has(real)) return;
    for (const entry of entries(absolute)) {
      const name = `${folder}/${entry.name}`;
      const file = { path: join(absolute, entry.name), name, ...of };
      const kind = kindOf(absolute, entry);
      if (kind === "folder") {
        if (isHidden(entry.name)) this.hiddenFolders.push(entry.name);
        else this.#walk(name, of, new Set([...above, real]));
      } else if (kind === "nothing") {
        this.#passedOver.push({ ...file, why: "a link that leads nowhere, or no regular file" });
      } else if (isHidden(entry.name)) {
        this.#passedOver.push({ ...file, why: "a hidden file" });
      } else if (!isImageName(entry.name)) {
        this.#passedOver.push({ ...file, why: "not an image by its name" });
      } else {
        this.#files.push(file);
      }
    }
  }
}

function entries(folder: string): Dirent[] {
  let found: Dirent[];
  try {
    found = readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    throw new UsageError(`${folder}: cannot be listed: ${(cause as Error).message}`, { cause });
  }
  refuseUndecodable(
    folder,
    found.map(({ name }) => name),
  );
  return found;
}

function isFolder(folder: string, entry: Dirent): boolean {
  return kindOf(folder, entry) === "folder";
}

/** As torchvision does, links are followed. */
function kindOf(folder: string, entry: Dirent): "file" | "folder" | "nothing" {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  if (!entry.isSymbolicLink()) return "nothing";
  try {
    const target = statSync(join(folder, entry.name));
    if (target.isDirectory()) return "folder";
    return target.isFile() ? "file" : "nothing";
  } catch {
    return "nothing";
  }
}

function withoutClasses(folder: string, root: string): UsageError {
  const images = entries(root).filter(({ name }) => isImageName(name) && !isHidden(name)).length;
  const what =
    images === 0 ? "holds no folders of images" : `holds ${images} images, but no classes`;
  return new UsageError(`--data ${folder}: ${what}`, {
    hint: "wanted: a folder for each class with its images, such as photos/cat/1.jpg, or a CSV of path,label",
  });
}
