import { type Dirent, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { kindOfFile } from "./image-files.ts";
import { byCodePoint, isHidden, refuseUndecodable } from "./names.ts";

/** A file that is not taken for an image. */
export interface OtherFile {
  readonly name: string;
  readonly why: string;
  /** Of a picture that is not decoded, such as HEIC. */
  readonly format?: string;
}

/** A folder with all that is below it; names alone, and the first bytes of files that have no image's name. */
export interface FolderTree {
  readonly name: string;
  /** From the root, with slashes; the root's own is empty. */
  readonly path: string;
  /** Visible ones, sorted by code point. */
  readonly folders: readonly FolderTree[];
  readonly hiddenFolders: readonly string[];
  /** Names of the images that lie directly in it. */
  readonly images: readonly string[];
  readonly others: readonly OtherFile[];
  /** Images in it and in all folders below. */
  readonly imageCount: number;
  /** Why it could not be listed: an error only where its images are wanted. */
  readonly unreadable?: UsageError;
}

/**
 * Reads a folder and all below it. Links are followed, as torchvision does, but not in circles.
 * @throws UsageError for a folder that cannot be listed, and for names that are not UTF-8.
 */
export function readFolderTree(root: string): FolderTree {
  const tree = read(root, "", "", new Set());
  if (tree.unreadable) throw tree.unreadable;
  return tree;
}

/** `above` are the folders that led here: a link may lead back to one. */
function read(
  absolute: string,
  name: string,
  path: string,
  above: ReadonlySet<string>,
): FolderTree {
  const folders: FolderTree[] = [];
  const hiddenFolders: string[] = [];
  const images: string[] = [];
  const others: OtherFile[] = [];
  const own = { name, path, folders, hiddenFolders, images, others };
  let entries: Dirent[];
  let inside: ReadonlySet<string>;
  try {
    const real = realpathSync(absolute);
    if (above.has(real)) return { ...own, imageCount: 0 };
    inside = new Set([...above, real]);
    entries = readdirSync(absolute, { withFileTypes: true });
    refuseUndecodable(
      absolute,
      entries.map(({ name }) => name),
    );
  } catch (cause) {
    if (cause instanceof UsageError) return { ...own, imageCount: 0, unreadable: cause };
    const message = `${absolute}: cannot be listed: ${(cause as Error).message}`;
    return { ...own, imageCount: 0, unreadable: new UsageError(message, { cause }) };
  }
  for (const entry of entries) {
    const file = join(absolute, entry.name);
    const kind = kindOf(file, entry);
    if (kind === "folder") {
      if (isHidden(entry.name)) hiddenFolders.push(entry.name);
      else
        folders.push(
          read(file, entry.name, path === "" ? entry.name : `${path}/${entry.name}`, inside),
        );
    } else if (kind === "nothing") {
      others.push({ name: entry.name, why: "a broken link, or not a regular file" });
    } else {
      const other = otherFile(file, entry.name);
      if (other === undefined) images.push(entry.name);
      else others.push(other);
    }
  }
  folders.sort((a, b) => byCodePoint(a.name, b.name));
  const imageCount = folders.reduce((sum, folder) => sum + folder.imageCount, images.length);
  return { ...own, imageCount };
}

/** Undefined for an image. */
function otherFile(path: string, name: string): OtherFile | undefined {
  if (isHidden(name)) return { name, why: "a hidden file" };
  const found = kindOfFile(path, name);
  if (found.kind === "image") return undefined;
  if (found.kind === "other") return { name, why: "not an image" };
  const { format } = found;
  return { name, format, why: `${format}, which is not supported` };
}

function kindOf(path: string, entry: Dirent): "file" | "folder" | "nothing" {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  if (!entry.isSymbolicLink()) return "nothing";
  try {
    const target = statSync(path);
    if (target.isDirectory()) return "folder";
    return target.isFile() ? "file" : "nothing";
  } catch {
    return "nothing";
  }
}

/** The folders below that hold images, themselves or further down. */
export function withImages({ folders }: FolderTree): readonly FolderTree[] {
  return folders.filter(({ imageCount }) => imageCount > 0);
}

/** True where more of its images lie in folders below than in the folder itself. */
export function holdsFolders({ images, imageCount }: FolderTree): boolean {
  return imageCount > 2 * images.length;
}

/** A folder, and all folders below it. */
export function* allOf(tree: FolderTree): Generator<FolderTree> {
  yield tree;
  for (const folder of tree.folders) yield* allOf(folder);
}
