import {
  copyFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { UsageError } from "../../errors.ts";
import { makeFolder } from "../../platform/durable.ts";
import { temporaryPath } from "../../platform/temporary.ts";
import type { Manifest } from "../folders/manifest.ts";
import { splitOrder } from "../folders/manifest.ts";
import { isImageName } from "../folders/names.ts";
import { sha256Stamp } from "../folders/stamp.ts";
import { prepareError, preparePlace } from "./prepare-error.ts";

export type ManifestFile = Manifest["files"][number];

const extensionOf: Readonly<Record<string, string>> = { jpeg: ".jpg", tiff: ".tif" };

/** Gives out names for the tree: the file's own where it is free, in any case of letters. */
export class TreeNames {
  readonly #taken = new Set<string>();
  readonly #folders = new Map<string, string>();

  /** A folder for a class: its name without what file systems refuse. @throws UsageError where two become one. */
  classFolder(className: string): string {
    const folder = fileName(className);
    const other = this.#folders.get(folder.toLowerCase()) ?? className;
    if (other !== className) {
      throw new UsageError(`the classes ${other} and ${className} would be one folder, ${folder}`, {
        hint: "rename one of them in the source",
      });
    }
    this.#folders.set(folder.toLowerCase(), className);
    return folder;
  }

  /** `train/beagle/1.jpg`: with a piece of its checksum where another file has that name. */
  pick(folder: string, source: string, image: { sha256: string; format: string }): string {
    const own = fileName(basename(source));
    const named = isImageName(own)
      ? own
      : `${own}${extensionOf[image.format] ?? `.${image.format}`}`;
    const extension = extname(named);
    const stem = named.slice(0, named.length - extension.length);
    for (let copy = 0; ; copy++) {
      const mark = copy === 0 ? "" : `-${image.sha256.slice(0, 8)}${copy === 1 ? "" : `-${copy}`}`;
      const name = `${folder}/${stem}${mark}${extension}`;
      if (this.#taken.has(name.toLowerCase())) continue;
      this.#taken.add(name.toLowerCase());
      return name;
    }
  }
}

function fileName(name: string): string {
  const kept = Array.from(name, (letter) =>
    /[/\\:*?"<>|]/.test(letter) || letter < " " ? "_" : letter,
  );
  return kept.join("").replace(/^\./, "_");
}

/** Puts one image into its place: a hard link where the file systems allow it, else a copy. */
export function place(source: string, target: string): "linked" | "copied" {
  try {
    makeFolder(dirname(target), preparePlace);
    try {
      // Of a link, the file it leads to.
      linkSync(realpathSync(source), target);
      return "linked";
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === "EEXIST") {
        rmSync(target, { force: true });
        return place(source, target);
      }
      if (!code || !["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code))
        throw cause;
    }
    const temporary = temporaryPath(target);
    try {
      copyFileSync(source, temporary);
      renameSync(temporary, target);
    } finally {
      rmSync(temporary, { force: true });
    }
    return "copied";
  } catch (cause) {
    throw prepareError(target, cause);
  }
}

/** True if the image is in its place, by its link to the source or by its content. */
export function isInPlace(root: string, file: ManifestFile, source?: string): boolean {
  const target = join(root, file.file);
  const found = statSync(target, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size !== file.bytes) return false;
  const original = source === undefined ? undefined : statSync(source, { throwIfNoEntry: false });
  if (original && original.ino === found.ino && original.dev === found.dev) return true;
  return sha256Stamp(readFileSync(target)) === `sha256:${file.sha256}`;
}

/** Removes what an unfinished run put into the split folders and this one does not want. */
export function removeOthers(root: string, wanted: ReadonlySet<string>): number {
  let removed = 0;
  for (const split of splitOrder) {
    const folder = join(root, split);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) continue;
    for (const className of readdirSync(folder)) {
      for (const name of readdirSync(join(folder, className))) {
        if (wanted.has(`${split}/${className}/${name}`)) continue;
        rmSync(join(folder, className, name));
        removed++;
      }
      if (readdirSync(join(folder, className)).length === 0) rmdirSync(join(folder, className));
    }
  }
  return removed;
}
