import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { UsageError } from "../../errors.ts";
import { fromCell } from "../formats/spreadsheet.ts";
import { isHidden, isImageName, someOf } from "./names.ts";

/** How deep below the CSV's folder images are looked for, and how many files are looked at. */
const MAX_DEPTH = 5;
const MAX_FILES = 2_000_000;

export interface FoundImage {
  readonly path: string;
  /** Below the CSV's folder, with slashes; a path that is right as it stands keeps its letters. */
  readonly name: string;
}

interface IndexedFile {
  readonly path: string;
  /** Below the folder that the paths are from: with slashes, composed. */
  readonly below: string;
}

/** Finds the files that a CSV's cells mean. */
export class CsvPaths {
  readonly #root: string;
  readonly #base: string;
  readonly #isNamed: boolean;
  /** Of `train_labels.csv`: train. */
  readonly #stem: string;
  #index: ReadonlyMap<string, readonly IndexedFile[]> | undefined;
  /** Where images were found that are not where the cells say. */
  readonly #elsewhere = new Set<string>();

  /**
   * @param root The CSV's folder.
   * @param folder What the user names as the images' folder, from the CSV's folder or the working directory.
   */
  constructor(root: string, stem: string, folder: string | undefined) {
    this.#root = root;
    this.#stem = firstWord(stem);
    this.#isNamed = folder !== undefined;
    this.#base = folder === undefined ? root : namedFolder(root, folder);
  }

  /**
   * The file of a cell: a path, one with backslashes, a name in some folder below, or a name without its extension.
   * Undefined where there is none.
   * @param wrong Makes the error that names the line.
   */
  find(
    written: string,
    wrong: (what: string, hint?: string) => UsageError,
  ): FoundImage | undefined {
    const cell = written.trim();
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(cell)) {
      throw wrong(`${cell} is a URL, not a file`, "download the images and list their paths");
    }
    const isWindows = /^([a-z]:[\\/]|\\\\)/i.test(cell) && sep === "/";
    if (isWindows) {
      throw wrong(
        `${cell} is a path on a Windows drive, which this machine does not have`,
        "use paths relative to the CSV's folder, such as images\\1.jpg, or file names alone with --image-folder",
      );
    }
    const isEscaped = fromCell(cell) !== cell;
    const readings = [cell, written, cell.replaceAll("\\", "/")];
    for (const reading of new Set(isEscaped ? [...readings, fromCell(cell)] : readings)) {
      const path = resolve(this.#base, reading);
      if (isFile(path)) {
        return { path, name: this.#isNamed ? this.#nameOf(path) : reading };
      }
    }
    const found = this.#search(cell.replaceAll("\\", "/"), wrong);
    if (found === undefined) return undefined;
    this.#elsewhere.add(folderOf(found.below));
    return { path: found.path, name: this.#nameOf(found.path) };
  }

  /** The error for a cell of which no file was found. */
  missing(written: string, wrong: (what: string, hint?: string) => UsageError): UsageError {
    return wrong(
      `there is no file ${resolve(this.#base, written.trim())}`,
      this.#isNamed
        ? "paths are relative to the folder given by --image-folder"
        : "paths are relative to the CSV's own folder; use --image-folder for another",
    );
  }

  notes(): string[] {
    const folders = [...this.#elsewhere].filter((folder) => folder !== "").sort();
    if (folders.length === 0) return [];
    return [`images were found by their names in ${someOf(folders.map((one) => `${one}/`))}`];
  }

  #search(
    cell: string,
    wrong: (what: string, hint?: string) => UsageError,
  ): IndexedFile | undefined {
    const wanted = cell.replace(/^(\.\/+)+/, "").normalize("NFC");
    this.#index ??= indexOf(this.#base);
    const same = this.#index.get(keyOf(wanted.split("/").at(-1)!)) ?? [];
    const withoutExtension = ({ below }: IndexedFile) => below.slice(0, below.lastIndexOf("."));
    const lower = wanted.toLowerCase();
    const images = same.filter(({ below }) => isImageName(below));
    // As it is written; then in other letters (.JPG); then without the extension.
    const ways = [
      same.filter(({ below }) => endsWith(below, wanted)),
      same.filter(({ below }) => endsWith(below.toLowerCase(), lower)),
      images.filter((file) => endsWith(withoutExtension(file), wanted)),
      images.filter((file) => endsWith(withoutExtension(file).toLowerCase(), lower)),
    ];
    const candidates = ways.find(({ length }) => length > 0);
    if (candidates === undefined || candidates.length === 1) return candidates?.[0];
    // train.csv beside train_images/ and test_images/.
    const own = candidates.filter(({ below }) => firstWord(below) === this.#stem);
    if (own.length === 1) return own[0];
    throw wrong(
      `${cell} matches several files: ${someOf(candidates.map(({ below }) => below).sort())}`,
      "give paths with folder and extension, or name the folder with --image-folder",
    );
  }

  #nameOf(path: string): string {
    return relative(this.#root, path).split(sep).join("/");
  }
}

function namedFolder(root: string, folder: string): string {
  const places = [resolve(root, folder), resolve(folder)];
  const found = places.find((place) => statSync(place, { throwIfNoEntry: false })?.isDirectory());
  if (found !== undefined) return found;
  throw new UsageError(`--image-folder ${folder}: there is no such folder`, {
    hint: `tried ${[...new Set(places)].join(" and ")}`,
  });
}

/** All files below a folder, by their names in small letters, with and without the extension. */
function indexOf(base: string): ReadonlyMap<string, readonly IndexedFile[]> {
  const index = new Map<string, IndexedFile[]>();
  let files = 0;
  const add = (key: string, file: IndexedFile) => {
    const before = index.get(key);
    if (before === undefined) index.set(key, [file]);
    else before.push(file);
  };
  const walk = (folder: string, below: string, above: ReadonlySet<string>) => {
    const real = realpathSync(folder);
    if (above.has(real)) return;
    for (const entry of readable(folder)) {
      if (isHidden(entry.name)) continue;
      const path = join(folder, entry.name);
      const name = below + entry.name.normalize("NFC");
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && isDirectory(path));
      if (isFolder) {
        if (above.size < MAX_DEPTH) walk(path, `${name}/`, new Set([...above, real]));
        continue;
      }
      if (++files > MAX_FILES) {
        throw new UsageError(
          `${base}: contains more than ${MAX_FILES} files, too many to search for images`,
          {
            hint: "name the images' folder with --image-folder, or list full paths",
          },
        );
      }
      const file = { path, below: name };
      const last = name.slice(name.lastIndexOf("/") + 1);
      const dot = last.lastIndexOf(".");
      add(keyOf(last), file);
      if (dot > 0) add(keyOf(last.slice(0, dot)), file);
    }
  };
  walk(base, "", new Set());
  return index;
}

function keyOf(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

function endsWith(below: string, wanted: string): boolean {
  return below === wanted || below.endsWith(`/${wanted}`);
}

function folderOf(below: string): string {
  return below.slice(0, Math.max(0, below.lastIndexOf("/")));
}

function firstWord(text: string): string {
  return /^[a-z0-9]*/i.exec(text)![0].toLowerCase();
}

/** A folder that cannot be read has no images for us. */
function readable(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() ?? false;
}

function isDirectory(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

/** Undefined, too, for a name that no file can have, and in a folder that may not be read. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
